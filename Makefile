# The front door: `make demo` and `make check` work on a fresh Debian. Everything else is cargo.

.PHONY: build demo demo-nginx demo-apache check check-long lint header deps ready clean

build: ready
	cargo rustc --release --lib -p psc -- --print native-static-libs

# The library and a reference server with fresh keys, on loopback: every verdict, as a host logs it.
demo: ready
	scripts/demo.sh

demo-nginx: ready
	examples-c/nginx/demo.sh

demo-apache: ready
	examples-c/apache/demo.sh

check: ready
	scripts/check.sh

# The same with every fault under valgrind, and other long forms.
check-long: ready
	PSC_LONG=1 scripts/check.sh

lint: ready
	scripts/lint.sh

header: ready
	PSC_WRITE_HEADER=1 cargo test --test abi_drift

# Installs what builds and tests need, as root; starts and enables no service.
deps:
	scripts/install-deps.sh

# Before each target: installs only when something is missing; an ordinary user gets the command to give.
ready:
	@scripts/install-deps.sh --if-missing

clean:
	cargo clean
