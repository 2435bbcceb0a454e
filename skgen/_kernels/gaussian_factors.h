/* Inverse Cholesky factors of all components for one set of observed columns. Float64 for any type
 * of data.
 *
 * Everything is stored entry-major: entry e of component k stands at e * Kp + k, where Kp is K
 * rounded up to whole vectors. Surplus components have weight zero.
 */
typedef struct {
    ptrdiff_t m;                  /* observed columns */
    ptrdiff_t *columns, *missing; /* their indices, and those of the others */
    double *row;                  /* (m,) the row at hand */
    V *inverse;                   /* m (m + 1) / 2 entries: inverse Cholesky factors */
    V *log_const;                 /* log weight - log det / 2 - m log(2 pi) / 2 */
    V *joint;                     /* log joint densities, then responsibilities, of the row at hand */
    V *z;                         /* (m,) the row minus the means */
    V *half, *slope, *product;    /* (d, d) scratch of the regression of missing on observed */
    void *memory;
} SK_(gm_factors);

static ptrdiff_t SK_(gm_groups)(const sk_gm_job *job) { return (job->K + W - 1) / W; }

static void SK_(gm_factors_free)(SK_(gm_factors) *f) { sk_free(f->memory); f->memory = NULL; }

static int SK_(gm_factors_alloc)(SK_(gm_factors) *f, const sk_gm_job *job) {
    size_t d = job->d, G = SK_(gm_groups)(job), tri = d * (d + 1) / 2;
    size_t vectors = G * (tri + d + 2) + 3 * d * d;
    char *p = f->memory = sk_alloc(sizeof(V) * vectors + d * (sizeof(double) + 2 * sizeof(ptrdiff_t)));
    if (!p) return 0;
    f->inverse = (V *)p;
    f->log_const = f->inverse + G * tri;
    f->joint = f->log_const + G;
    f->z = f->joint + G;
    f->half = f->z + G * d;
    f->slope = f->half + d * d;
    f->product = f->slope + d * d;
    f->row = (double *)(f->product + d * d);
    f->columns = (ptrdiff_t *)(f->row + d);
    f->missing = f->columns + d;
    return 1;
}

/* Parameters with one component per lane: covariances (lower triangle), means, log weights. */
static void *SK_(gm_spread)(const sk_gm_job *job) {
    ptrdiff_t K = job->K, d = job->d, Kp = SK_(gm_groups)(job) * W, tri = d * (d + 1) / 2;
    double *spread = sk_alloc(sizeof(double) * Kp * (tri + d + 1));
    if (!spread) return NULL;
    for (ptrdiff_t k = 0; k < Kp; k++) {
        double *out = spread + k;
        for (ptrdiff_t i = 0; i < d; i++)
            for (ptrdiff_t j = 0; j <= i; j++, out += Kp)
                *out = k < K ? job->covariances[(k * d + i) * d + j] : (double)(i == j);
        for (ptrdiff_t j = 0; j < d; j++, out += Kp) *out = k < K ? job->means[k * d + j] : 0.0;
        *out = k < K ? job->log_weights[k] : -INFINITY;
    }
    return spread;
}

/* Inverse Cholesky factor of the observed block, group g of components, in place of f->inverse.
 * Returns the mask of lanes whose block is positive definite, and the log determinant's half. */
static IVEC SK_(gm_factor_group)(const V *cov, ptrdiff_t G, ptrdiff_t g, SK_(gm_factors) *f, V *half_log_det) {
    const ptrdiff_t m = f->m, *o = f->columns;
    V *L = f->inverse + g, pivots = SK_(v_set)(1), sum = SK_(v_set)(0);
    IVEC good = ~(IVEC){0};
    for (ptrdiff_t j = 0; j < m; j++) {
        V inverse = SK_(v_set)(1);
        for (ptrdiff_t i = j; i < m; i++) {
            V s = cov[SK_TRI(o[i], o[j]) * G + g];
            for (ptrdiff_t p = 0; p < j; p++) s = SK_(v_fma)(-L[SK_TRI(i, p) * G], L[SK_TRI(j, p) * G], s);
            if (i == j) {
                IVEC positive = SK_(v_gt)(s, SK_(v_set)(0));
                good &= positive;
                s = SK_(v_blend)(positive, s, SK_(v_set)(1));
                pivots *= s;
                inverse = SK_(v_set)(1) / SK_(v_sqrt)(s);
                s = SK_(v_set)(1);
            }
            L[SK_TRI(i, j) * G] = s * inverse;
        }
        if (j % 4 == 3 || j == m - 1) { sum += SK_(v_log)(pivots); pivots = SK_(v_set)(1); }
    }
    for (ptrdiff_t i = 1; i < m; i++)
        for (ptrdiff_t c = 0; c < i; c++) {
            V s = SK_(v_set)(0);
            for (ptrdiff_t p = c; p < i; p++) s = SK_(v_fma)(L[SK_TRI(i, p) * G], L[SK_TRI(p, c) * G], s);
            L[SK_TRI(i, c) * G] = -s * L[SK_TRI(i, i) * G];
        }
    *half_log_det = SK_(v_set)(0.5) * sum;
    return good;
}

/* Factors of the observed block of all components. Returns 1 + a component that has none, or 0. */
static ptrdiff_t SK_(gm_factor_pattern)(const sk_gm_job *job, const void *spread, const unsigned char *mask,
                                        SK_(gm_factors) *f) {
    ptrdiff_t d = job->d, G = SK_(gm_groups)(job), tri = d * (d + 1) / 2, gone = 0;
    const V *cov = (const V *)spread, *log_weights = cov + (tri + d) * G;
    double constant = 0.0;
    f->m = 0;
    for (ptrdiff_t j = 0; j < d; j++)
        if (!mask || mask[j]) {
            f->columns[f->m++] = j;
            constant += log(job->unit[j]) - SK_LOG_2PI_HALF;
        } else f->missing[gone++] = j;
    for (ptrdiff_t g = 0; g < G; g++) {
        V half_log_det;
        IVEC good = SK_(gm_factor_group)(cov, G, g, f, &half_log_det);
        f->log_const[g] = log_weights[g] - half_log_det + SK_(v_set)(constant);
        for (ptrdiff_t i = 0; i < W && g * W + i < job->K; i++)
            if (!((SK_INT *)&good)[i]) return g * W + i + 1;
    }
    return 0;
}
