# The front door: `make demo` and `make check` work on a fresh Debian. Everything else is cargo.

.PHONY: build demo demo-nginx demo-apache check check-long check-fresh lint header deps clean

# Before each target: its packages. As root they are installed when one is missing; an ordinary user gets the command to give.
install = @scripts/install-deps.sh --if-missing

# Installs nothing: says what is missing.
build:
	@scripts/install-deps.sh --missing build
	cargo rustc --release --lib -p psc -- --print native-static-libs

# The library and a reference server with fresh keys, on loopback: every verdict, as a host logs it.
demo:
	$(install) build
	scripts/demo.sh

demo-nginx:
	$(install) build nginx
	examples-c/nginx/demo.sh

demo-apache:
	$(install) build apache
	examples-c/apache/demo.sh

check:
	$(install)
	scripts/check.sh

# The same with every fault under valgrind, and other long forms.
check-long:
	$(install)
	PSC_LONG=1 scripts/check.sh

# README's two commands, and the tests as an ordinary user, in a minimal Debian that nobody has touched. As root.
SUITE = bookworm
check-fresh:
	scripts/check-fresh.sh $(SUITE)

lint:
	$(install)
	scripts/lint.sh

header:
	PSC_WRITE_HEADER=1 cargo test --test abi drift::

# Installs what builds and tests need, as root; starts and enables no service.
deps:
	scripts/install-deps.sh

clean:
	cargo clean
