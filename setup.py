"""Compile the kernels of skgen; all metadata is in pyproject.toml.

Every ``skgen/_kernels/*.pyx`` becomes one extension module under one set of compiler directives.
Environment variables choose another build of the same sources:

``SKGEN_DEBUG=1``
    Bounds and initialisation are checked; ``-O1 -g``.
``SKGEN_SANITIZE=address,undefined``
    The compiler's sanitizers, with ``-O1 -g``.
``SKGEN_NO_OPENMP=1``
    Single-threaded kernels.
"""

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path
from zlib import crc32

import Cython
import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("SKGEN_DEBUG") == "1"
SANITIZE = os.environ.get("SKGEN_SANITIZE", "")
NO_OPENMP = os.environ.get("SKGEN_NO_OPENMP") == "1"
N_JOBS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

KERNELS = Path("skgen/_kernels")
# Cython's memoryview code, compiled once for all kernels: each of them compiles 3 times faster.
UTILITY = "_cyutility"

# Never -ffast-math: it flips the denormal mode of the process and deletes the handling of NaN.
# Never -march=native: a wheel must run elsewhere. No contraction: same bits on every machine.
NUMERIC_FLAGS = ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
# 64-byte vectors are passed only between static functions: the note on their ABI is moot.
COMMON_FLAGS = [*NUMERIC_FLAGS, "-fvisibility=hidden", "-Wno-psabi"]

OPENMP_PROBE = """
#include <omp.h>
int main(void) { return omp_get_max_threads() < 1; }
"""

# An intrinsic compiles only where the pragma around it takes effect.
X86_TARGETS_PROBE = """
#include <immintrin.h>
typedef double vec __attribute__((vector_size(64), aligned(8)));
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq")
#endif
static void with_avx512(vec *x) { *x = *x + (vec)_mm512_sqrt_pd((__m512d)*x); }
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
static void with_avx2(double *x) {
    __m256d y = _mm256_loadu_pd(x);
    _mm256_storeu_pd(x, _mm256_fmadd_pd(y, y, y));
}
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
int main(void) {
    vec x = {0};
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) with_avx512(&x);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) with_avx2((double *)&x);
    return x[0] != 0.0;
}
"""


class BuildKernels(build_ext):
    """Build the extensions with what the compiler at hand can do."""

    def finalize_options(self):
        super().finalize_options()
        if self.editable_mode:
            # A lasting folder in place of a temporary one: only what changed is compiled.
            self.build_lib, self.build_temp = "build/lib", "build/temp"

    def build_extensions(self):
        compile_args, link_args = self._openmp_flags()
        if self.compiler.compiler_type != "msvc":
            compile_args = compile_args + COMMON_FLAGS + self._optimisation_flags()
            link_args = link_args + self._sanitizer_flags()
            if self._compiles(X86_TARGETS_PROBE, COMMON_FLAGS, []):
                compile_args = [*compile_args, "-DSKGEN_HAVE_X86_TARGETS=1"]
        for extension in self.extensions:
            extension.extra_compile_args += compile_args
            extension.extra_link_args += link_args
        self.parallel = self.parallel or N_JOBS
        super().build_extensions()

    def _openmp_flags(self):
        """Compile and link flags of OpenMP, or two empty lists where there is none."""
        if self.compiler.compiler_type == "msvc":
            flags = ["/openmp"], []
        elif sys.platform == "darwin":
            flags = ["-Xpreprocessor", "-fopenmp"], ["-lomp"]
        else:
            flags = ["-fopenmp"], ["-fopenmp"]
        if not NO_OPENMP and self._compiles(OPENMP_PROBE, *flags):
            return flags
        print("skgen: building without OpenMP; the kernels will use one thread.", file=sys.stderr)
        return [], []

    def _optimisation_flags(self):
        if SANITIZE:
            stop = ["-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
            return ["-O1", "-g", *stop, *self._sanitizer_flags()]
        return ["-O1", "-g"] if DEBUG else ["-O3", "-g0"]

    def _sanitizer_flags(self):
        return [f"-fsanitize={SANITIZE}"] if SANITIZE else []

    def _compiles(self, source, compile_args, link_args):
        """Whether a program of this source compiles and links."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "probe.c")
            path.write_text(source, encoding="utf-8")
            try:
                objects = self.compiler.compile(
                    [str(path)], output_dir=folder, extra_postargs=compile_args
                )
                self.compiler.link_shared_object(
                    objects, str(path.with_suffix(".so")), extra_postargs=link_args
                )
            except Exception:  # each compiler class raises its own
                return False
        return True


def settings_changed():
    """Whether this build differs from the last one in more than its sources."""
    settings = (
        f"cython={Cython.__version__} numpy={numpy.__version__}\n"
        f"debug={DEBUG} sanitize={SANITIZE} no_openmp={NO_OPENMP}\n"
        f"setup.py={crc32(Path(__file__).read_bytes())}\n"
    )
    record = Path("build/settings.txt")
    if record.is_file() and record.read_text(encoding="utf-8") == settings:
        return False
    record.parent.mkdir(exist_ok=True)
    record.write_text(settings, encoding="utf-8")
    return True


def kernel_extensions():
    """One extension for each kernel file, and the shared utility module."""
    headers = sorted(map(str, [*KERNELS.glob("*.h"), *KERNELS.glob("*.pxd")]))
    sources = sorted(KERNELS.glob("*.pyx"))
    names = [source.stem for source in sources] + [UTILITY]
    files = [str(source) for source in sources] + [str(KERNELS / f"{UTILITY}.c")]
    return [
        Extension(
            f"skgen._kernels.{name}",
            [file],
            include_dirs=[numpy.get_include(), str(KERNELS)],
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
            depends=headers,
        )
        for name, file in zip(names, files, strict=True)
    ]


setup(
    ext_modules=cythonize(
        kernel_extensions(),
        force=settings_changed(),
        # Only a forked worker can do without importing this file again.
        nthreads=N_JOBS if multiprocessing.get_start_method() == "fork" else 0,
        shared_utility_qualified_name=f"skgen._kernels.{UTILITY}",
        compiler_directives={
            "language_level": 3,
            "boundscheck": DEBUG,
            "initializedcheck": DEBUG,
            "wraparound": False,
            "cdivision": True,
            "freethreading_compatible": True,
        },
    ),
    cmdclass={"build_ext": BuildKernels},
)
