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

enum { SK_(has_start) = 1, SK_(has_blank) = 2 };

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
    if (pass == SK_HM_TRACE) return 1;
    for (int f = 0; f < COUNT; f++) vectors += sizes[f];
    V *p = s->memory = sk_alloc(vectors * sizeof(V) + n + 1);
    if (!p) return 0;
    for (int f = 0; f < COUNT; p += sizes[f++]) *fields[f] = p;
    s->flags = (unsigned char *)p;
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
    s->flags[t] |= weight == 0 ? SK_(has_start) | SK_(has_blank) : SK_(has_start);
}

/* Starts, weights and blanks of n + 1 steps from t0. Blank are the rows outside of the data, and
 * those of weight zero: each is a sequence of its own that observes nothing. */
static void SK_(hm_mark)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n) {
    memset(s->flags, 0, n + 1);
    memset(s->reset, 0, sizeof(V) * U * (n + 1));
    for (ptrdiff_t lane = 0; lane < L; lane++) {
        ptrdiff_t row = SK_(hm_row)(job, group, lane, t0), t = 0;
        for (; t <= n && row < 0; t++, row++) SK_(hm_mark_step)(s, lane, t, 1, 0);
        ptrdiff_t sequence = row < job->N ? sk_hm_sequence(job, row) : 0;
        while (t <= n && row < job->N) {
            double weight = job->weights ? job->weights[sequence] : 1.0;
            ptrdiff_t first = job->offsets[sequence], end = job->offsets[++sequence];
            for (; t <= n && row < end; t++, row++) SK_(hm_mark_step)(s, lane, t, row == first, weight);
        }
        for (; t <= n; t++) SK_(hm_mark_step)(s, lane, t, 1, 0);
    }
}

/* Steps lo .. hi - 1 of a block that are rows of the data, from row on. */
static ptrdiff_t SK_(hm_clip)(const sk_hm_job *job, ptrdiff_t row, ptrdiff_t n, ptrdiff_t *lo, ptrdiff_t *hi) {
    *lo = row < 0 ? -row : 0;
    *hi = row + n > job->N ? job->N - row : n;
    if (*hi < *lo) *hi = *lo;
    return row + *lo;
}

/* ---- what is observed --------------------------------------------------------------------- */

/* Copy rows of m doubles into a lane. m is a constant to the compiler where it is small. */
SK_INLINE void SK_(hm_copy)(const ptrdiff_t m, const double *rows, V *tiles, ptrdiff_t lane, ptrdiff_t lo, ptrdiff_t hi) {
    for (ptrdiff_t t = lo; t < hi; t++, rows += m) {
        double *out = SK_(hm_place)(tiles, m, lane, t);
        for (ptrdiff_t k = 0; k < m; k++) out[k * BLOCK] = rows[k];
    }
}

/* Shifted and scaled values, and what is observed of them. */
SK_INLINE void SK_(hm_copy_values)(const ptrdiff_t m, const int is_float, const int masked, const void *values,
                                   const SK_(gm_params) *p, V *x, V *mask, ptrdiff_t lane, ptrdiff_t lo, ptrdiff_t hi) {
    for (ptrdiff_t t = lo, e = 0; t < hi; t++) {
        double *out = SK_(hm_place)(x, p->padded, lane, t);
        for (ptrdiff_t j = 0; j < m; j++, e++) {
            double value = is_float ? (double)((const float *)values)[e] : ((const double *)values)[e];
            if (masked) {
                int seen = value == value;
                SK_(hm_place)(mask, p->padded, lane, t)[j * BLOCK] = seen;
                if (!seen) value = p->shift[j];
            }
            out[j * BLOCK] = (value - p->shift[j]) * p->unit[j];
        }
    }
}

static void SK_(hm_load_values)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t lane, ptrdiff_t row, ptrdiff_t lo,
                                ptrdiff_t hi) {
    const SK_(gm_params) *p = SK_(hm_params)(job);
    const ptrdiff_t m = p->m;
    const char *values = (const char *)job->X + row * m * (job->is_float ? 4 : 8);
    if (job->gm.masked) SK_(hm_copy_values)(m, job->is_float, 1, values, p, s->x, s->mask, lane, lo, hi);
    else if (job->is_float) SK_(hm_copy_values)(m, 1, 0, values, p, s->x, s->mask, lane, lo, hi);
    else if (m == 1) SK_(hm_copy_values)(1, 0, 0, values, p, s->x, s->mask, lane, lo, hi);
    else if (m == 2) SK_(hm_copy_values)(2, 0, 0, values, p, s->x, s->mask, lane, lo, hi);
    else if (m == 4) SK_(hm_copy_values)(4, 0, 0, values, p, s->x, s->mask, lane, lo, hi);
    else SK_(hm_copy_values)(m, 0, 0, values, p, s->x, s->mask, lane, lo, hi);
}

static void SK_(hm_load_symbols)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t lane, ptrdiff_t row, ptrdiff_t lo,
                                 ptrdiff_t hi) {
    for (ptrdiff_t t = lo; t < hi; t++, row++) {
        ptrdiff_t code = job->codes[row] < 0 ? job->M : job->codes[row];
        ((double *)s->shift)[t * L + lane] = job->table_log ? job->table_log[code] : 0.0;
        SK_(hm_copy)(job->K, job->table + code * job->K, s->joint, lane, t, t + 1);
    }
}

/* Log densities of a block in s->joint; of symbols, what their table holds. */
static void SK_(hm_densities)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n) {
    ptrdiff_t lo, hi, K = job->K;
    for (ptrdiff_t lane = 0; lane < L; lane++) {
        ptrdiff_t row = SK_(hm_clip)(job, SK_(hm_row)(job, group, lane, t0), n, &lo, &hi);
        if (job->kind == SK_HM_GAUSSIAN) SK_(hm_load_values)(job, s, lane, row, lo, hi);
        else if (job->kind == SK_HM_SYMBOLS) SK_(hm_load_symbols)(job, s, lane, row, lo, hi);
        else SK_(hm_copy)(K, (const double *)job->X + row * K, s->joint, lane, lo, hi);
    }
    if (job->kind == SK_HM_SYMBOLS) return;
    for (ptrdiff_t tile = 0; tile * STEPS < n; tile++) {
        V *joint = s->joint + tile * K * NB;
        if (job->kind == SK_HM_LOG_LIK)
            for (ptrdiff_t e = 0; e < K * NB; e++) joint[e] = SK_(v_max)(joint[e], SK_(v_set)(FLOOR));
        else {
            s->gm.x = s->x + tile * SK_(hm_padded)(job) * NB;
            s->gm.mask = s->mask + tile * SK_(hm_padded)(job) * NB;
            s->gm.joint = joint;
            SK_(gm_densities)(&job->gm, SK_(hm_params)(job), &s->gm, NB);
        }
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
static void SK_(hm_emit)(const sk_hm_job *job, SK_(hm_scratch) *s, ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n) {
    const ptrdiff_t K = job->K;
    SK_(hm_mark)(job, s, group, t0, n);
    SK_(hm_densities)(job, s, group, t0, n);
    for (ptrdiff_t tile = 0; tile * STEPS < n; tile++) {
        const V *joint = s->joint + tile * K * NB;
        V *b = s->b + tile * STEPS * K * U;
        if (job->kind != SK_HM_SYMBOLS) SK_(hm_exp)(job, joint, b, s->shift + tile * NB);
        else
            for (ptrdiff_t k = 0; k < K; k++)
                for (int v = 0; v < NB; v++) b[(v / U * K + k) * U + v % U] = joint[k * NB + v];
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

/* Write a quantity of each row, (K, U) vectors of each step, to an array of (N, K). */
static void SK_(hm_write)(const sk_hm_job *job, V *tiles, ptrdiff_t K, ptrdiff_t group, ptrdiff_t t0, ptrdiff_t n,
                          double *out) {
    for (ptrdiff_t lane = 0; lane < L; lane++) {
        ptrdiff_t lo, hi, row = SK_(hm_clip)(job, SK_(hm_row)(job, group, lane, t0), n, &lo, &hi);
        for (ptrdiff_t t = lo; t < hi; t++, row++) {
            const double *in = SK_(hm_place)(tiles, K, lane, t);
            for (ptrdiff_t k = 0; k < K; k++) out[row * K + k] = in[k * BLOCK];
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
