# The menu. Each target sets up what it needs.
SWIFT        ?= swift
WARNINGS      = -Xswiftc -warnings-as-errors
RELEASE       = -c release --static-swift-stdlib --scratch-path .build-release --disable-local-rpath $(HARDENING)
# What Debian asks of a program: nothing of its tables stays writable, and a name for its debug symbols.
HARDENING     = $(foreach flag,-z relro -z now --build-id=sha1,-Xlinker $(flag))

.PHONY: help setup setup-extras demo build test check lint release deb deb-test bench soak samples fuzz clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup:           ## install what product and tests need (nothing when nothing is missing)
	@packaging/setup.sh

setup-extras:    ## install the heavy tools of later parts too
	@packaging/setup.sh extras

demo: build      ## the main job, whole: a legacy export to an MQTT subscriber, with an outage
	@.build/debug/waybill demo

build: setup     ## debug build of product and tests, warnings as errors
	$(SWIFT) build --build-tests $(WARNINGS)

test: build      ## all tests
	$(SWIFT) test --skip-build $(WARNINGS)

lint:            ## format and boundaries
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests Benchmarks

check: lint test ## what a change must pass

release: setup   ## static, stripped binary in .build-release, with its size checked
	$(SWIFT) build $(RELEASE) --product waybill
	@packaging/check-binary.sh .build-release/release/waybill

deb: release     ## the Debian package in dist/, the same bytes for the same sources
	@packaging/setup.sh package
	@packaging/build-deb.sh .build-release/release/waybill dist

deb-test: deb    ## lintian, and the package's whole life under a real systemd in a container
	@packaging/test/deb-test.sh dist/waybill_*.deb

bench: release   ## the numbers, with peers measured in the same run (RUNS=5)
	@packaging/setup.sh bench
	$(SWIFT) build $(RELEASE) --product waybill-bench
	@.build-release/release/waybill-bench --program .build-release/release/waybill --runs $(or $(RUNS),5)

soak: build      ## the torture tests for MINUTES=60 and on, half each
	WAYBILL_SOAK_MINUTES=$(or $(MINUTES),60) $(SWIFT) test --skip-build $(WARNINGS) --filter TortureTests

samples: build   ## what becomes of the sample files beside the project
	@$(SWIFT) test --skip-build $(WARNINGS) --filter SamplesTests | grep "^sample:"

fuzz: setup      ## the decoders under libFuzzer for MINUTES=10, all together
	@Benchmarks/Fuzz/run.sh $$(($(or $(MINUTES),10) * 60))

clean:           ## remove what was built
	rm -rf .build .build-release .build-fuzz dist
