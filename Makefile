# One environment, made from the pinned requirements, serves all targets.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
KERNELS := $(wildcard skgen/_kernels/*.pyx skgen/_kernels/*.pxd skgen/_kernels/*.h)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo test test-slow test-debug test-sanitize coverage lint format docs examples bench requirements clean

demo: $(VENV)/skgen  ## the main job on real data
	$(BIN)/python -m skgen.demo

test: $(VENV)/skgen  ## tests and doctests
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/skgen
	$(BIN)/python -m pytest -m slow

# The tests against another build of the kernels, in a copy of the sources.
define test_copy
	rm -rf build/$(1) && mkdir -p build/$(1)
	cp -r setup.py pyproject.toml README.md LICENSE skgen build/$(1)
	rm -f build/$(1)/skgen/_kernels/*.so build/$(1)/skgen/_kernels/*.c
	cd build/$(1) && $(2) $(abspath $(BIN))/python setup.py --quiet build_ext --inplace
	cd build/$(1) && $(3) $(abspath $(BIN))/python -m pytest -m "not slow" --capture=sys -p no:cacheprovider ../../tests
endef

test-debug: $(VENV)/skgen  ## with every index checked
	$(call test_copy,debug,SKGEN_DEBUG=1)

test-sanitize: $(VENV)/skgen  ## with the compiler's sanitizers
	$(call test_copy,sanitize,SKGEN_SANITIZE=address$(comma)undefined,$(SANITIZER))

comma := ,
SANITIZER = PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so)"

coverage: $(VENV)/skgen
	$(BIN)/python -m pytest -m "not slow" --cov --cov-report=term

# cython-lint looks for pycodestyle on the path.
lint: $(VENV)/lint.txt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(abspath $(BIN)):$$PATH" cython-lint skgen
	$(BIN)/mypy skgen

format: $(VENV)/lint.txt
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/skgen $(VENV)/docs.txt  ## the site, warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -b doctest docs docs/_build/doctest

examples: $(VENV)/skgen
	set -e; for file in examples/*.py; do \
	  echo "$$file"; MPLBACKEND=agg $(BIN)/python "$$file" > /dev/null; \
	done

bench: $(VENV)/skgen $(VENV)/bench.txt  ## against the peers: minutes, on an idle machine
	$(BIN)/python -m benchmarks

requirements:  ## pin anew what pyproject.toml allows
	$(PYTHON) requirements/pin.py

clean:
	rm -rf $(VENV) build dist docs/_build docs/auto_examples *.egg-info
	rm -f skgen/_kernels/*.so skgen/_kernels/*.pyd skgen/_kernels/*.c

# Stamps: repeated calls do only what is new.
$(VENV)/skgen: $(VENV)/build.txt $(VENV)/test.txt setup.py pyproject.toml $(KERNELS)
	$(PIP) --no-build-isolation --no-deps --editable .
	touch $@

$(VENV)/%.txt: requirements/%.txt | $(VENV)/pyvenv.cfg
	$(PIP) --requirement $<
	touch $@

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)
