/* Random numbers. */
#ifndef SKGEN_RANDOM_H
#define SKGEN_RANDOM_H
#include <stdint.h>
#include <string.h>

/* A uniform number of [0, 1), and the next state: splitmix64 of Steele, Lea and Flood (2014), Fast
 * splittable pseudorandom number generators, OOPSLA. */
static inline double sk_uniform(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1p-53;
}

/* 1 where x is negative, by its sign: a comparison becomes a branch, which cannot be foretold. */
static inline uint64_t sk_is_negative(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63;
}
#endif
