/* Rows of a group of segments, one segment to a lane, and the densities of their states.
 *
 * A block is `n` <= job->block steps of a group, t0 .. t0 + n - 1 from where its segments start
 * (negative, or beyond their ends, for a warm-up). Vector v = t * U + u holds lanes u * W ..
 * u * W + W - 1 of step t. Values and log densities are laid out as gaussian_block.h wants them,
 * NB vectors to a tile: x[tile][feature][vector], joint[tile][state][vector].
 */
#define U 2 /* vectors of lanes: twice as many independent chains, each entry of A loaded once */
#define L (U * W)
#define STEPS (NB / U) /* of a tile */

/* Of the flags of a step; has_start is shifted left by the vector of the lane. */
enum { SK_(has_blank) = 1, SK_(has_start) = 2 };

/* Call a function with the number of states, a constant to the compiler where it is small. */
#define SK_HM_FOR_STATES(K, f, ...)      \
    switch (K) {                         \
    case 2: f(2, __VA_ARGS__); break;    \
    case 3: f(3, __VA_ARGS__); break;    \
    case 4: f(4, __VA_ARGS__); break;    \
    case 5: f(5, __VA_ARGS__); break;    \
    case 6: f(6, __VA_ARGS__); break;    \
    case 8: f(8, __VA_ARGS__); break;    \
    default: f(K, __VA_ARGS__);          \
    }

/* Scratch memory of one thread. */
typedef struct {
    SK_(gm_scratch) gm;    /* one tile, as the Gaussian code sees it */
    V *x, *mask;           /* (tiles, padded, NB) each */
    V *joint;              /* (tiles, K, NB) log densities; later the posteriors */
    V *b;                  /* (block + 1, K, U) b_t, then b_t v_t */
    V *u;                  /* (block, K, U) u_t */
    V *shift, *sum, *step; /* (block, U) log of the largest density; c_t; its logarithm plus shift */
    V *weight;             /* (block + 1, U) of the sequence; 0 for rows that stand for nothing */
    IVEC *reset;           /* (block + 1, U) where a sequence starts */
    unsigned char *flags;  /* (block + 1,) has_start, has_blank */
    ptrdiff_t near[L];     /* a sequence close to the rows of each lane */
    const int *codes[L];   /* the symbols of each lane */
    int *edge_codes;       /* (L, block) copies of those at the edges of the data */
    V *state, *work, *carry; /* (K, U) each */
    V *pairs;              /* (K, K) sums over steps and the U vectors */
    V *starts;             /* (K,) */
    V *acc;                /* (K, acc_size) moments */
    void *memory;
} SK_(hm_scratch);

static ptrdiff_t SK_(hm_lanes)(void) { return L; }
static const SK_(gm_params) *SK_(hm_params)(const sk_hm_job *job) { return (const SK_(gm_params) *)job->gm.model; }
static ptrdiff_t SK_(hm_padded)(const sk_hm_job *job) {
    return job->kind == SK_HM_GAUSSIAN ? SK_(hm_params)(job)->padded : 0;
}
/* Where a step of a lane stands in an array of tiles of `width` entries; NB * W apart by entry. */
SK_INLINE double *SK_(hm_place)(V *tiles, ptrdiff_t width, ptrdiff_t lane, ptrdiff_t t) {
    return (double *)(tiles + t / STEPS * width * NB + t % STEPS * U) + lane;
}

static int SK_(hm_scratch_alloc)(SK_(hm_scratch) *s, const sk_hm_job *job, int pass) {
    ptrdiff_t K = job->K, n = job->block, tiles = n / STEPS, padded = SK_(hm_padded)(job);
    int backward = pass == SK_HM_BACKWARD, dense = padded > 4 && !job->gm.diagonal;
    ptrdiff_t acc = backward && job->kind == SK_HM_GAUSSIAN ? K * SK_(gm_acc_size)(&job->gm) : 0;
    ptrdiff_t sizes[] = {tiles * padded * NB, job->gm.masked ? tiles * padded * NB : 0, tiles * K * NB,
                         (n + 1) * K * U, n * K * U, n * U, n * U, n * U, (n + 1) * U, (n + 1) * U, K * U, K * U, K * U,
                         backward ? K * K : 0, K, acc, dense ? padded * NB : 0, dense ? padded * NB : 0};
    V **fields[] = {&s->x, &s->mask, &s->joint, &s->b, &s->u, &s->shift, &s->sum, &s->step, &s->weight,
                    (V **)&s->reset, &s->state, &s->work, &s->carry, &s->pairs, &s->starts, &s->acc, &s->gm.z, &s->gm.wz};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    size_t vectors = 0;
    memset(s, 0, sizeof *s);
    for (int f = 0; f < COUNT; f++) vectors += sizes[f];
    V *p = s->memory = sk_alloc(vectors * sizeof(V) + sizeof(int) * L * n + n + 1);
    if (!p) return 0;
    for (int f = 0; f < COUNT; p += sizes[f++]) *fields[f] = p;
    s->edge_codes = (int *)p;
    s->flags = (unsigned char *)(s->edge_codes + L * n);
    s->gm.acc = s->acc;
    return 1;
}

/* ---- which rows --------------------------------------------------------------------------- */

static ptrdiff_t SK_(hm_row)(const sk_hm_job *job, ptrdiff_t group, ptrdiff_t lane, ptrdiff_t t) {
    return (group * L + lane) * job->rows + t;
}

/* One lane of a step: the row of a sequence, its first one, or blank. */
SK_INLINE void SK_(hm_mark_step)(SK_(hm_scratch) *s, ptrdiff_t lane, ptrdiff_t t, int start, double weight) {
    ((double *)s->weight)[t * L + lane] = weight;
    if (!start && weight != 0) return;
    ((SK_INT *)s->reset)[t * L + lane] = -1;
    s->flags[t] |= (SK_(has_start) << lane / W) | (weight == 0 ? SK_(has_blank) : 0);
}

/* One lane of n + 1 steps from a row on; unweighted rows inside of a sequence are marked already. */
static void SK_(hm_mark_lane)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t lane, ptrdiff_t row, ptrdiff_t n) {
    ptrdiff_t t = 0, sequence;
    for (; t <= n && row + t < 0; t++) SK_(hm_mark_step)(s, lane, t, 1, 0);
    if (t <= n && row + t < job->N) s->near[lane] = sk_hm_near(job, row + t, s->near[lane]);
    sequence = s->near[lane];
    while (t <= n && row + t < job->N) {
        double weight = job->weights ? job->weights[sequence] : 1.0;
        ptrdiff_t first = job->offsets[sequence] - row, end = job->offsets[++sequence] - row;
        if (end > n + 1) end = n + 1;
        if (job->weights) for (; t < end; t++) SK_(hm_mark_step)(s, lane, t, t == first, weight);
        else if (t == first && t < end) SK_(hm_mark_step)(s, lane, t, 1, weight);
        t = end;
    }
    for (; t <= n; t++) SK_(hm_mark_step)(s, lane, t, 1, 0);
}

/* Starts, weights and blanks of n + 1 steps from t0. Blank are the rows outside of the data, and
 * those of weight zero: each is a sequence of its own that observes nothing. */
static void SK_(hm_mark)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n) {
    memset(s->flags, 0, n + 1);
    memset(s->reset, 0, sizeof(V) * U * (n + 1));
    for (ptrdiff_t v = 0; v < U * (n + 1); v++) s->weight[v] = SK_(v_set)(1);
    for (ptrdiff_t lane = 0; lane < L; lane++)
        SK_(hm_mark_lane)(job, s, lane, SK_(hm_row)(job, group, lane, t0), n);
}

/* Steps lo .. hi - 1 of a block that are rows of the data, from row on. */
static ptrdiff_t SK_(hm_clip)(const sk_hm_job *job, ptrdiff_t row, ptrdiff_t n, ptrdiff_t *lo, ptrdiff_t *hi) {
    *lo = row < 0 ? -row : 0;
    *hi = row + n > job->N ? job->N - row : n;
    if (*hi < *lo) *hi = *lo;
    return row + *lo;
}

/* ---- what is observed --------------------------------------------------------------------- */

/* W vectors as a matrix, transposed: each round interleaves its two halves. */
SK_INLINE void SK_(hm_transpose)(V *r) {
#if SK_VBYTES == 64
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif SK_VBYTES == 32
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#elif SK_VBYTES == 16
#define LOW_HALVES(a, b) __builtin_shufflevector(a, b, 0, 2)
#define HIGH_HALVES(a, b) __builtin_shufflevector(a, b, 1, 3)
#endif
#if SK_VBYTES
    SK_UNROLL
    for (int round = 1; round < W; round *= 2) {
        V out[W];
        SK_UNROLL
        for (int i = 0; i < W / 2; i++) {
            out[2 * i] = LOW_HALVES(r[i], r[i + W / 2]);
            out[2 * i + 1] = HIGH_HALVES(r[i], r[i + W / 2]);
        }
        SK_UNROLL
        for (int i = 0; i < W; i++) r[i] = out[i];
    }
#undef LOW_HALVES
#undef HIGH_HALVES
#else
    (void)r;
#endif
}

/* W numbers of float64 or float32. */
SK_INLINE V SK_(hm_read)(const int is_float, const char *numbers) {
    V out;
    if (!is_float) memcpy(&out, numbers, sizeof out);
    else for (int i = 0; i < W; i++) ((double *)&out)[i] = ((const float *)numbers)[i];
    return out;
}

/* Where rows of m numbers go, in tiles of `width` entries, and how they are scaled. */
typedef struct {
    V *out, *mask;              /* mask or NULL: all are observed */
    ptrdiff_t m, width;
    const double *shift, *unit; /* (m,), or NULL: log densities */
} SK_(hm_target);

SK_INLINE V SK_(hm_scaled)(const SK_(hm_target) *to, V x, ptrdiff_t j, V *seen) {
    if (!to->unit) return SK_(v_max)(x, SK_(v_set)(FLOOR));
    V scaled = (x - SK_(v_set)(to->shift[j])) * SK_(v_set)(to->unit[j]);
    if (!to->mask) return scaled;
    IVEC observed = SK_(v_gt)(x, SK_(v_set)(-INFINITY)); /* values are finite or NaN */
    *seen = SK_(v_blend)(observed, SK_(v_set)(1), SK_(v_set)(0));
    return SK_(v_blend)(observed, scaled, SK_(v_set)(0));
}

/* n rows of m numbers in each of W lanes, `stride` bytes apart: W numbers of each at a time. What
 * stands `ahead` rows on, the block after this one, is on its way meanwhile. */
SK_INLINE void SK_(hm_load_lanes)(const int is_float, const SK_(hm_target) *to, const char *rows, ptrdiff_t stride,
                                  ptrdiff_t n, ptrdiff_t ahead, int u) {
    const ptrdiff_t size = is_float ? 4 : 8, m = to->m;
    for (ptrdiff_t e = 0, t = 0, j = 0; e < n * m; e += W) {
        V r[W];
        SK_UNROLL
        for (int i = 0; i < W; i++) {
            r[i] = SK_(hm_read)(is_float, rows + i * stride + e * size);
            SK_PREFETCH(rows + i * stride + (e + ahead * m) * size);
        }
        SK_(hm_transpose)(r);
        SK_UNROLL
        for (int i = 0; i < W; i++) {
            V seen = SK_(v_set)(1), x = SK_(hm_scaled)(to, r[i], j, &seen);
            ptrdiff_t v = (t / STEPS * to->width + j) * NB + t % STEPS * U + u;
            to->out[v] = x;
            if (to->mask) to->mask[v] = seen;
            if (++j == m) { j = 0; t++; }
        }
    }
}

/* Steps lo .. hi - 1 of one lane, number by number: at the edges of the data. */
static void SK_(hm_load_lane)(int is_float, const SK_(hm_target) *to, const char *rows, ptrdiff_t lane, ptrdiff_t lo,
                              ptrdiff_t hi) {
    for (ptrdiff_t t = lo; t < hi; t++)
        for (ptrdiff_t j = 0; j < to->m; j++, rows += is_float ? 4 : 8) {
            double number = is_float ? (double)*(const float *)rows : *(const double *)rows;
            V seen = SK_(v_set)(1), x = SK_(hm_scaled)(to, SK_(v_set)(number), j, &seen);
            ptrdiff_t e = ((t / STEPS * to->width + j) * NB + t % STEPS * U) * W + lane;
            ((double *)to->out)[e] = *(double *)&x;
            if (to->mask) ((double *)to->mask)[e] = *(double *)&seen;
        }
}

/* The numbers of a block, of values or of log densities. */
static void SK_(hm_load)(const sk_hm_job *job, const SK_(hm_target) *to, ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n,
                         int backwards) {
    const ptrdiff_t bytes = to->m * (job->is_float ? 4 : 8);
    for (int u = 0; u < U; u++) {
        ptrdiff_t lo, hi, first = SK_(hm_row)(job, group, u * W, t0), last = SK_(hm_row)(job, group, u * W + W - 1, t0);
        const char *rows = (const char *)job->X + first * bytes;
        ptrdiff_t ahead = backwards ? -job->block : n;
        if (first >= 0 && last + n <= job->N) {
            if (job->is_float) SK_(hm_load_lanes)(1, to, rows, job->rows * bytes, n, ahead, u);
            else SK_(hm_load_lanes)(0, to, rows, job->rows * bytes, n, ahead, u);
            continue;
        }
        for (ptrdiff_t lane = u * W; lane < u * W + W; lane++) {
            ptrdiff_t row = SK_(hm_clip)(job, SK_(hm_row)(job, group, lane, t0), n, &lo, &hi);
            SK_(hm_load_lane)(job->is_float, to, (const char *)job->X + row * bytes, lane, lo, hi);
        }
    }
}

/* The symbols of n steps in each lane: where they stand, or at the edges of the data a copy. */
static void SK_(hm_find_codes)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n) {
    for (ptrdiff_t lane = 0; lane < L; lane++) {
        int *copy = s->edge_codes + lane * job->block;
        ptrdiff_t lo, hi, row = SK_(hm_clip)(job, SK_(hm_row)(job, group, lane, t0), n, &lo, &hi);
        s->codes[lane] = hi - lo == n ? job->codes + row : copy;
        if (hi - lo == n) continue;
        memset(copy, -1, sizeof *copy * n);
        if (hi > lo) memcpy(copy + lo, job->codes + row, sizeof *copy * (hi - lo));
    }
}

/* The row of the table of a code; the last is for missing ones. */
SK_INLINE size_t SK_(hm_table_row)(unsigned M, int code) { return (unsigned)code < M ? (unsigned)code : M; }

/* Rows of the table of symbols, of which W numbers are read at a time: its rows are padded. They go
 * to `out` in tiles of `nb` vectors. */
SK_INLINE void SK_(hm_load_symbols)(const int nb, const sk_hm_job *job, SK_(hm_scratch) *s, V *out, ptrdiff_t group,
                                    ptrdiff_t t0, ptrdiff_t n) {
    const ptrdiff_t K = job->K, width = job->table_width;
    const unsigned M = (unsigned)job->M;
    const double *SK_RESTRICT table = job->table, *SK_RESTRICT logs = job->table_log;
    double *SK_RESTRICT shift = (double *)s->shift;
    SK_(hm_find_codes)(job, s, group, t0, n);
    for (int u = 0; u < U; u++)
        for (ptrdiff_t t = 0; t < n; t++) {
            const double *rows[W];
            V *to = out + t / (nb / U) * K * nb + t % (nb / U) * U + u;
            SK_UNROLL
            for (int i = 0; i < W; i++) {
                size_t row = SK_(hm_table_row)(M, s->codes[u * W + i][t]);
                rows[i] = table + row * width;
                shift[t * L + u * W + i] = logs[row];
            }
            for (ptrdiff_t k = 0; k < K; k += W) {
                V r[W];
                SK_UNROLL
                for (int i = 0; i < W; i++) memcpy(r + i, rows[i] + k, sizeof(V));
                SK_(hm_transpose)(r);
                if (k + W <= K) {
                    SK_UNROLL
                    for (int i = 0; i < W; i++) to[(k + i) * nb] = r[i];
                } else
                    for (ptrdiff_t i = 0; k + i < K; i++) to[(k + i) * nb] = r[i];
            }
        }
}

/* Log densities of a block in s->joint. */
static void SK_(hm_densities)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n,
                              int backwards) {
    const ptrdiff_t K = job->K;
    if (job->kind == SK_HM_SYMBOLS) { SK_(hm_load_symbols)(NB, job, s, s->joint, group, t0, n); return; }
    if (job->kind == SK_HM_LOG_LIK) {
        SK_(hm_target) to = {s->joint, NULL, K, K, NULL, NULL};
        SK_(hm_load)(job, &to, group, t0, n, backwards);
        return;
    }
    const SK_(gm_params) *p = SK_(hm_params)(job);
    SK_(hm_target) to = {s->x, job->gm.masked ? s->mask : NULL, p->m, p->padded, p->shift, p->unit};
    SK_(hm_load)(job, &to, group, t0, n, backwards);
    for (ptrdiff_t tile = 0; tile * STEPS < n; tile++) {
        s->gm.x = s->x + tile * p->padded * NB;
        s->gm.mask = s->mask + tile * p->padded * NB;
        s->gm.joint = s->joint + tile * K * NB;
        SK_(gm_densities)(&job->gm, p, &s->gm, NB);
    }
}

/* One tile of log densities as densities over the largest, state by state of each step. */
static void SK_(hm_exp)(const sk_hm_job *job, const V *joint, V *b, V *shift) {
    const ptrdiff_t K = job->K;
    V top[NB];
    for (int v = 0; v < NB; v++) top[v] = joint[v];
    for (ptrdiff_t k = 1; k < K; k++)
        for (int v = 0; v < NB; v++) top[v] = SK_(v_max)(top[v], joint[k * NB + v]);
    for (int v = 0; v < NB; v++) shift[v] = top[v];
    for (ptrdiff_t k = 0; k < K; k++)
        for (int v = 0; v < NB; v++) b[(v / U * K + k) * U + v % U] = SK_(v_exp)(joint[k * NB + v] - top[v]);
}

/* b_t of a block, and starts, weights and shifts of its rows. */
static void SK_(hm_emit)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n,
                         int backwards) {
    const ptrdiff_t K = job->K;
    SK_(hm_mark)(job, s, group, t0, n);
    if (job->kind == SK_HM_SYMBOLS) SK_(hm_load_symbols)(U, job, s, s->b, group, t0, n);
    else {
        SK_(hm_densities)(job, s, group, t0, n, backwards);
        for (ptrdiff_t tile = 0; tile * STEPS < n; tile++)
            SK_(hm_exp)(job, s->joint + tile * K * NB, s->b + tile * STEPS * K * U, s->shift + tile * NB);
    }
    for (ptrdiff_t t = 0; t < n; t++) {
        if (!(s->flags[t] & SK_(has_blank))) continue;
        for (int u = 0; u < U; u++) {
            IVEC there = SK_(v_gt)(s->weight[t * U + u], SK_(v_set)(0));
            s->shift[t * U + u] = SK_(v_blend)(there, s->shift[t * U + u], SK_(v_set)(0));
            for (ptrdiff_t k = 0; k < K; k++) {
                V *b = s->b + (t * K + k) * U + u;
                *b = SK_(v_blend)(there, *b, SK_(v_set)(1));
            }
        }
    }
}

/* Write a quantity of each row, K numbers of each step, to an array of (N, K), of which the block
 * `ahead` rows on is the next. */
SK_INLINE void SK_(hm_write)(const sk_hm_job *job, const ptrdiff_t K, const V *tiles, ptrdiff_t group, ptrdiff_t t0,
                             ptrdiff_t n, ptrdiff_t ahead, double *out) {
    const ptrdiff_t first = SK_(hm_row)(job, group, 0, t0), stride = job->rows * K, all = job->N * K;
    const int inside = SK_(hm_row)(job, group, L - 1, t0 + n) <= job->N;
    for (ptrdiff_t e = 0, t = 0, k = 0; e < n * K; e += W) {
        ptrdiff_t from[W]; /* W numbers of each lane are W vectors, transposed */
        for (int i = 0; i < W; i++) {
            from[i] = (t / STEPS * K + k) * NB + t % STEPS * U;
            if (++k == K) { k = 0; t++; }
        }
        for (int u = 0; u < U; u++) {
            ptrdiff_t at = first * K + e + u * W * stride;
            V r[W];
            SK_UNROLL
            for (int i = 0; i < W; i++) r[i] = tiles[from[i] + u];
            SK_(hm_transpose)(r);
            SK_UNROLL
            for (int i = 0; i < W; i++, at += stride) {
                SK_PREFETCH(out + at + ahead * K);
                if (inside || at + W <= all) memcpy(out + at, r + i, sizeof(V)); /* a store, not a call */
                else if (at < all) memcpy(out + at, r + i, sizeof(double) * (all - at));
            }
        }
    }
}

/* Vectors of a group in the order (K, lanes), from and to shared memory. */
static void SK_(hm_put)(const sk_hm_job *job, double *out, ptrdiff_t group, const V *in) {
    memcpy(out + group * job->K * L, in, sizeof(V) * job->K * U);
}
static void SK_(hm_get)(const sk_hm_job *job, const double *in, ptrdiff_t group, V *out) {
    memcpy(out, in + group * job->K * L, sizeof(V) * job->K * U);
}
