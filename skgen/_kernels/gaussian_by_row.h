/* Moments of a block of complete rows under diagonal covariances, one column in each lane.
 *
 * The accumulators of all components, with rows in the lanes W times as many, are then few enough
 * for registers and the first-level cache, and the rows are read as they stand in the data:
 *
 *   acc[component]  N (summed over lanes later), first[C], second[C]     C vectors of columns
 *
 * Subtractions and additions have execution units of their own beside those of the products, so
 * that moments about the mean cost no more than raw ones.
 */

/* Whether a model is for this way: registers and columns fill up, and squares in the units of the
 * data neither over- nor underflow. With fewer registers than AVX-512 has there is nothing to gain. */
static int SK_(gm_by_row)(const sk_gm_job *job) {
    const double far = SK_IS_DOUBLE ? 1e90 : 1e6;
    if (SK_VBYTES < 64 || !job->diagonal || job->masked || job->d % W || job->K < 8) return 0;
    for (ptrdiff_t j = 0; j < job->d; j++)
        if (job->unit[j] > far || job->unit[j] < 1 / far) return 0;
    return 1;
}

static ptrdiff_t SK_(gm_by_row_size)(ptrdiff_t d) { return 1 + 2 * (d / W); }

/* nk components, two vectors at a time: of columns or, where one vector of columns is left, of two
 * rows, to fill the pipeline. nk and `alone` are constants to the compiler. */
SK_INLINE void SK_(gm_row_tile)(const int nk, const int alone, const R *SK_RESTRICT X, ptrdiff_t d, ptrdiff_t rows,
                                const R *SK_RESTRICT center, const R *SK_RESTRICT resp, V *SK_RESTRICT acc) {
    V first[8], second[8], mu[8], x[2];
    SK_UNROLL
    for (int e = 0; e < 2 * nk; e++) {
        first[e] = second[e] = SK_(v_set)(0);
        memcpy(mu + e, center + e / 2 * d + (alone ? 0 : e % 2 * W), sizeof(V));
    }
    for (ptrdiff_t i = 0; i < rows; i += 1 + alone, X += (1 + alone) * d) {
        memcpy(x, X, sizeof(V)); /* behind the last row of an odd number there is one of resp 0 */
        memcpy(x + 1, X + (!alone ? W : i + 1 < rows ? d : 0), sizeof(V));
        SK_UNROLL
        for (int e = 0; e < 2 * nk; e++) {
            V r = SK_(v_set)(resp[e / 2 * BLOCK + i + alone * (e % 2)]), z = x[e % 2] - mu[e], w = r * z;
            first[e] += w;
            second[e] = SK_(v_fma)(w, z, second[e]);
        }
    }
    SK_UNROLL
    for (int e = 0; e < 2 * nk; e++) {
        V *sum = acc + e / 2 * SK_(gm_by_row_size)(d) + 1 + (alone ? 0 : e % 2);
        sum[0] += first[e];
        sum[d / W] += second[e];
    }
}

#define SK_ROW_TILE(nk)                                                      \
    (j + W < d ? SK_(gm_row_tile)(nk, 0, X + j, d, rows, center, resp, acc)  \
               : SK_(gm_row_tile)(nk, 1, X + j, d, rows, center, resp, acc))

static void SK_(gm_moments_by_row)(const SK_(gm_params) *p, const SK_(gm_scratch) *s, const R *X, ptrdiff_t K,
                                   ptrdiff_t rows, int nv) {
    ptrdiff_t d = p->m, size = SK_(gm_by_row_size)(d);
    for (ptrdiff_t k = 0; k < K; k++) {
        V weight = SK_(v_set)(0);
        for (ptrdiff_t b = 0; b < nv; b++) weight += s->joint[k * NB + b];
        s->acc[k * size] += weight;
    }
    for (ptrdiff_t j = 0; j < d; j += 2 * W)
        for (ptrdiff_t k = 0; k < K; k += 4) {
            const R *center = p->center + k * d + j, *resp = (const R *)(s->joint + k * NB);
            V *acc = s->acc + k * size + j / W;
            if (K - k >= 4) SK_ROW_TILE(4);
            else if (K - k == 3) SK_ROW_TILE(3);
            else if (K - k == 2) SK_ROW_TILE(2);
            else SK_ROW_TILE(1);
        }
}
#undef SK_ROW_TILE

/* Accumulators of all components added to `out`, laid out as a slot. They are about the means as
 * rounded to the type of the data, which `rest` leads away from. */
static void SK_(gm_reduce_by_row)(const sk_gm_job *job, const SK_(gm_params) *p, const V *acc, double *out) {
    ptrdiff_t d = job->d, Kp = sk_round_up(job->K, SKD_(lanes));
    for (ptrdiff_t k = 0; k < job->K; k++, acc += SK_(gm_by_row_size)(d), out++) {
        const R *sums = (const R *)(acc + 1);
        double weight = SK_(gm_lane_sum)(acc[0]);
        out[0] += weight;
        for (ptrdiff_t j = 0; j < d; j++) {
            double unit = job->unit[j], center = (double)p->center[k * d + j];
            double rest = job->means[k * d + j] - (center - job->shift[j]) * unit;
            double first = (double)sums[j] * unit;
            double second = (double)sums[d + j] * unit * unit;
            out[(1 + j) * Kp] += first - weight * rest;
            out[(1 + d + j) * Kp] += second - rest * (2 * first - weight * rest);
        }
    }
}
