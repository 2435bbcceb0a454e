/* Rows that miss entries, one component per lane; see gaussian.h. Float64 for any type of data,
 * stored entry-major as the factors in gaussian_factors.h.
 */
/* Rows without any observed entry: log density 0, responsibilities the weights, no moments. */
static void SK_(gm_empty_rows)(const sk_gm_job *job, ptrdiff_t first, ptrdiff_t last) {
    ptrdiff_t best = 0;
    for (ptrdiff_t k = 1; k < job->K; k++) if (job->log_weights[k] > job->log_weights[best]) best = k;
    for (ptrdiff_t i = first; i < last; i++) {
        ptrdiff_t row = sk_at(job, i);
        if (job->log_prob) job->log_prob[row] = 0.0;
        if (job->labels) job->labels[row] = best;
        for (ptrdiff_t k = 0; k < job->K; k++) {
            if (job->log_joint) job->log_joint[row * job->K + k] = job->log_weights[k];
            if (job->resp)
                job->resp[row * job->K + k] = exp(job->log_weights[k]) * (job->weights ? job->weights[row] : 1.0);
        }
    }
}

/* f->row minus the means, and its log joint densities. */
static void SK_(gm_row_densities)(const sk_gm_job *job, SK_(gm_factors) *f) {
    ptrdiff_t m = f->m, d = job->d, G = SK_(gm_groups)(job);
    const V *means = (const V *)job->model + d * (d + 1) / 2 * G;
    for (ptrdiff_t g = 0; g < G; g++) {
        V q = SK_(v_set)(0);
        const V *L = f->inverse + g;
        for (ptrdiff_t i = 0; i < m; i++) {
            V y = SK_(v_set)(0);
            f->z[i * G + g] = SK_(v_set)(f->row[i]) - means[f->columns[i] * G + g];
            for (ptrdiff_t j = 0; j <= i; j++, L += G) y = SK_(v_fma)(*L, f->z[j * G + g], y);
            q = SK_(v_fma)(y, y, q);
        }
        f->joint[g] = SK_(v_max)(SK_(v_fma)(SK_(v_set)(-0.5), q, f->log_const[g]), SK_(v_set)(FLOOR));
    }
}

/* Softmax of f->joint in place; returns the log of the sum. Writes what the caller wants. */
static double SK_(gm_row_softmax)(const sk_gm_job *job, SK_(gm_factors) *f, ptrdiff_t row, double weight) {
    ptrdiff_t K = job->K, G = SK_(gm_groups)(job), best = 0;
    double *joint = (double *)f->joint, sum = 0.0, log_prob;
    for (ptrdiff_t k = 0; k < K; k++) {
        if (job->log_joint) job->log_joint[row * K + k] = joint[k] <= FLOOR ? -INFINITY : joint[k];
        if (joint[k] > joint[best]) best = k;
    }
    V top = SK_(v_set)(joint[best]);
    for (ptrdiff_t g = 0; g < G; g++) f->joint[g] = SK_(v_exp)(f->joint[g] - top);
    for (ptrdiff_t k = 0; k < K; k++) sum += joint[k];
    V log_sum = top + SK_(v_log)(SK_(v_set)(sum)), scale = SK_(v_set)(weight / sum);
    for (ptrdiff_t g = 0; g < G; g++) f->joint[g] *= scale;
    log_prob = ((double *)&log_sum)[0];
    if (job->log_prob) job->log_prob[row] = log_prob <= FLOOR / 2 ? -INFINITY : log_prob;
    if (job->labels) job->labels[row] = best;
    if (job->resp) for (ptrdiff_t k = 0; k < K; k++) job->resp[row * K + k] = joint[k];
    return log_prob;
}

/* The row in f->row: its weighted log-likelihood; moments are added to `observed`. */
static double SK_(gm_one_row)(const sk_gm_job *job, SK_(gm_factors) *f, ptrdiff_t row, double *observed) {
    ptrdiff_t m = f->m, G = SK_(gm_groups)(job);
    double weight = job->weights ? job->weights[row] : 1.0, log_prob;
    SK_(gm_row_densities)(job, f);
    if (job->given) {
        memset(f->joint, 0, sizeof(V) * G);
        memcpy(f->joint, job->given + row * job->K, sizeof(double) * job->K);
        log_prob = 0.0;
    } else log_prob = SK_(gm_row_softmax)(job, f, row, weight);
    if (!observed) return weight * log_prob;
    for (ptrdiff_t g = 0; g < G; g++) {
        V *out = (V *)observed + g, *second = out + (1 + m) * G, r = f->joint[g];
        *out += r;
        for (ptrdiff_t i = 0; i < m; i++) {
            V w = r * f->z[i * G + g];
            out[(1 + i) * G] += w;
            for (ptrdiff_t j = 0; j <= i; j++, second += G) *second = SK_(v_fma)(w, f->z[j * G + g], *second);
        }
    }
    return weight * log_prob;
}

/* Regression of the missing on the observed columns, group g:
 * half = inverse Sigma_om, slope = Sigma_oo^-1 Sigma_om, both (m, n_missing). */
static void SK_(gm_regression)(const V *cov, ptrdiff_t G, ptrdiff_t g, ptrdiff_t n_missing, SK_(gm_factors) *f) {
    for (ptrdiff_t q = 0; q < n_missing; q++) {
        ptrdiff_t u = f->missing[q];
        for (ptrdiff_t i = 0; i < f->m; i++) {
            V s = SK_(v_set)(0);
            for (ptrdiff_t j = 0; j <= i; j++) {
                ptrdiff_t o = f->columns[j];
                s = SK_(v_fma)(f->inverse[SK_TRI(i, j) * G + g], cov[(o > u ? SK_TRI(o, u) : SK_TRI(u, o)) * G + g], s);
            }
            f->half[i * n_missing + q] = s;
        }
        for (ptrdiff_t j = 0; j < f->m; j++) {
            V s = SK_(v_set)(0);
            for (ptrdiff_t i = j; i < f->m; i++)
                s = SK_(v_fma)(f->inverse[SK_TRI(i, j) * G + g], f->half[i * n_missing + q], s);
            f->slope[j * n_missing + q] = s;
        }
    }
}

/* Second moments of the missing columns, and of missing with observed, given those observed. */
static void SK_(gm_complete_group)(const V *cov, ptrdiff_t G, ptrdiff_t g, ptrdiff_t n_missing, SK_(gm_factors) *f,
                                   V weight, const V *first, const V *second, V *slot_first, V *slot_second) {
    ptrdiff_t m = f->m;
    SK_(gm_regression)(cov, G, g, n_missing, f);
    for (ptrdiff_t q = 0; q < n_missing; q++) {
        ptrdiff_t u = f->missing[q];
        V mean = SK_(v_set)(0);
        for (ptrdiff_t i = 0; i < m; i++) {
            V s = SK_(v_set)(0);
            mean = SK_(v_fma)(f->slope[i * n_missing + q], first[i * G], mean);
            for (ptrdiff_t j = 0; j < m; j++)
                s = SK_(v_fma)(second[(i > j ? SK_TRI(i, j) : SK_TRI(j, i)) * G], f->slope[j * n_missing + q], s);
            f->product[i * n_missing + q] = s;
            ptrdiff_t o = f->columns[i];
            slot_second[(o > u ? SK_TRI(o, u) : SK_TRI(u, o)) * G] += s;
        }
        slot_first[u * G] += mean;
        for (ptrdiff_t r = 0; r <= q; r++) {
            V s = SK_(v_set)(0), explained = SK_(v_set)(0);
            for (ptrdiff_t i = 0; i < m; i++) {
                s = SK_(v_fma)(f->slope[i * n_missing + r], f->product[i * n_missing + q], s);
                explained = SK_(v_fma)(f->half[i * n_missing + q], f->half[i * n_missing + r], explained);
            }
            ptrdiff_t e = SK_TRI(u, f->missing[r]);
            slot_second[e * G] += SK_(v_fma)(weight, cov[e * G + g] - explained, s);
        }
    }
}

/* Moments of all columns of a run from those of its observed columns, added to the slot. */
static void SK_(gm_complete)(const sk_gm_job *job, const void *spread, SK_(gm_factors) *f, const double *observed,
                             double *slot) {
    ptrdiff_t m = f->m, d = job->d, G = SK_(gm_groups)(job);
    for (ptrdiff_t g = 0; g < G; g++) {
        const V *weight = (const V *)observed + g, *first = weight + G, *second = first + m * G;
        V *slot_weight = (V *)slot + g, *slot_first = slot_weight + G, *slot_second = slot_first + d * G;
        *slot_weight += *weight;
        for (ptrdiff_t i = 0; i < m; i++) {
            slot_first[f->columns[i] * G] += first[i * G];
            for (ptrdiff_t j = 0; j <= i; j++)
                slot_second[SK_TRI(f->columns[i], f->columns[j]) * G] += second[SK_TRI(i, j) * G];
        }
        if (m < d)
            SK_(gm_complete_group)(spread, G, g, d - m, f, *weight, first, second, slot_first, slot_second);
    }
}
