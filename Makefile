# Everything that is done to this project. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
CARGO ?= cargo
# Asked anew each time: `make rust` may have added it.
TARGET = $(shell integration/setup target)
BIN = $(CURDIR)/target/$(TARGET)/release
LOG := target/integration.log
DENY := target/tools/bin/cargo-deny

DESTDIR ?=
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/oci/hooks.d
DATADIR ?= $(PREFIX)/share
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
UNITDIR ?= $(PREFIX)/lib/systemd/system

# Where tests and benchmarks find the programs: those that would be installed.
export OCI_COMPAT_BIN = $(BIN)

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: rust
rust:
	@integration/setup rust

.PHONY: build
build: rust ## Build the programs, statically linked
	$(CARGO) build --locked --release --bins --target $(TARGET)

.PHONY: demo
demo: rust ## Install what it takes, build, and see runc start one container and refuse two others
	integration/setup demo
	$(MAKE) --no-print-directory build
	integration/demo

.PHONY: test
test: rust ## Install what it takes, and run everything: style, unit tests, licences, real runtimes
	integration/setup build
	$(MAKE) --no-print-directory check unit
	integration/setup deny engines oracles youki
	$(MAKE) --no-print-directory deny integration

# What needs a runtime, an engine, a daemon or root is left to `make test`. Debug programs are built in seconds.
.PHONY: quick
quick: rust ## Lints, unit tests, and the tests that need no runtime: neither root nor network, under a minute once it is built
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --quiet --all-targets -- -D warnings
	env -u OCI_COMPAT_BIN $(CARGO) test --locked --quiet --lib
	env -u OCI_COMPAT_BIN $(CARGO) test --locked --quiet --test integration -- \
		--skip engines:: --skip oracles:: --skip runtimes:: --skip registry::real:: --skip power:: --skip large:: --skip package:: --skip units:: --skip hosts:: --skip cli::copied::

.PHONY: check
check: ## Formatting, lints and documentation
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --quiet --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --quiet --no-deps --lib

.PHONY: deny
deny: ## Licences, sources and banned crates, without a network
	$(DENY) --offline --locked check --hide-inclusion-graph licenses bans sources

.PHONY: audit
audit: ## Known vulnerabilities of the dependencies; needs a network
	$(DENY) --locked check advisories

.PHONY: unit
unit: ## Unit tests: no root, no network, no runtime
	$(CARGO) test --locked --lib --quiet

.PHONY: integration
integration: build ## Integration tests, with the runtimes that are installed; as root
	OCI_COMPAT_REQUIRE_RUNTIMES=$${OCI_COMPAT_REQUIRE_RUNTIMES-$$(integration/setup runtimes)} \
		$(CARGO) test --locked --test integration 2>&1 | tee $(LOG)
	@integration/setup summary $(LOG)

.PHONY: bench
bench: build ## Measure hook and wrapper against programs that do nothing, asking containerd, and pulls
	$(CARGO) bench --locked --bench hook

.PHONY: order
order: rust ## Find anew which functions of the hook to place side by side (x86-64)
	OCI_COMPAT_SYMBOLS=1 $(CARGO) build --locked --release --bins --target $(TARGET) --target-dir target/order
	OCI_COMPAT_BIN=$(CURDIR)/target/order/$(TARGET)/release $(CARGO) bench --locked --profile dev --bench order

# Programs that are there already are built anew only by who has Rust: root often has none.
.PHONY: install
install: $(if $(shell command -v $(CARGO)),build) ## Install programs, man pages, completions and examples below DESTDIR/PREFIX
	@[ -x $(BIN)/oci-compat ] || integration/setup rust
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DATADIR)/oci-compat
	install -m 0755 $(BIN)/oci-compat $(BIN)/oci-compat-runtime $(DESTDIR)$(BINDIR)
	install -m 0755 $(BIN)/oci-compat-hook $(DESTDIR)$(LIBEXECDIR)
	sed 's|@LIBEXECDIR@|$(LIBEXECDIR)|' hooks/oci-compat.json.in > $(DESTDIR)$(DATADIR)/oci-compat/oci-compat.json
	chmod 0644 $(DESTDIR)$(DATADIR)/oci-compat/oci-compat.json
	install -m 0644 hooks/config.toml docs/report.schema.json docs/facts.schema.json docs/decision.schema.json docs/status.schema.json docs/spec.schema.json docs/config-file.schema.json $(DESTDIR)$(DATADIR)/oci-compat
	install -d $(DESTDIR)$(TMPFILESDIR)
	install -m 0644 hooks/oci-compat.tmpfiles $(DESTDIR)$(TMPFILESDIR)/oci-compat.conf
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|@BINDIR@|$(BINDIR)|' hooks/oci-compat-pull.service > $(DESTDIR)$(UNITDIR)/oci-compat-pull.service
	chmod 0644 $(DESTDIR)$(UNITDIR)/oci-compat-pull.service
	install -m 0644 hooks/oci-compat-pull.timer hooks/oci-compat-pull.path $(DESTDIR)$(UNITDIR)
	install -d $(DESTDIR)$(DATADIR)/man/man1 $(DESTDIR)$(DATADIR)/man/man5 $(DESTDIR)$(DATADIR)/man/man8 $(DESTDIR)$(DATADIR)/bash-completion/completions \
		$(DESTDIR)$(DATADIR)/zsh/site-functions $(DESTDIR)$(DATADIR)/fish/vendor_completions.d
	$(BIN)/oci-compat man $(DESTDIR)$(DATADIR)/man/man1
	install -m 0644 docs/man/oci-compat-config.5 docs/man/oci-compat-spec.5 $(DESTDIR)$(DATADIR)/man/man5
	install -m 0644 docs/man/oci-compat-hook.8 docs/man/oci-compat-runtime.8 $(DESTDIR)$(DATADIR)/man/man8
	$(BIN)/oci-compat completions bash > $(DESTDIR)$(DATADIR)/bash-completion/completions/oci-compat
	$(BIN)/oci-compat completions zsh > $(DESTDIR)$(DATADIR)/zsh/site-functions/_oci-compat
	$(BIN)/oci-compat completions fish > $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/oci-compat.fish

.PHONY: uninstall
uninstall: ## Take our entries out of the engines, and remove what `make install` placed
	@if [ -n "$(DESTDIR)" ]; then \
		echo "note: below DESTDIR, no engine's configuration is looked at: there, $(BINDIR)/oci-compat uninstall does that"; \
	elif [ -x $(BINDIR)/oci-compat ]; then \
		$(BINDIR)/oci-compat uninstall all || \
			{ echo "nothing is removed: an engine without its program starts nothing, or everything unchecked" >&2; exit 1; }; \
	fi
	if [ -d $(DESTDIR)$(BINDIR) ]; then find $(DESTDIR)$(BINDIR) -maxdepth 1 -lname oci-compat-runtime -name 'oci-compat-runtime-*' -delete; fi
	rm -f $(DESTDIR)$(BINDIR)/oci-compat $(DESTDIR)$(BINDIR)/oci-compat-runtime
	rm -f $(DESTDIR)$(LIBEXECDIR)/oci-compat-hook $(DESTDIR)$(DATADIR)/man/man1/oci-compat*.1
	rm -f $(DESTDIR)$(DATADIR)/man/man5/oci-compat-config.5 $(DESTDIR)$(DATADIR)/man/man5/oci-compat-spec.5
	rm -f $(DESTDIR)$(DATADIR)/man/man8/oci-compat-hook.8 $(DESTDIR)$(DATADIR)/man/man8/oci-compat-runtime.8
	rm -f $(DESTDIR)$(DATADIR)/bash-completion/completions/oci-compat
	rm -f $(DESTDIR)$(DATADIR)/zsh/site-functions/_oci-compat
	rm -f $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/oci-compat.fish
	rm -f $(DESTDIR)$(TMPFILESDIR)/oci-compat.conf
	rm -f $(DESTDIR)$(UNITDIR)/oci-compat-pull.service $(DESTDIR)$(UNITDIR)/oci-compat-pull.timer $(DESTDIR)$(UNITDIR)/oci-compat-pull.path
	rm -rf $(DESTDIR)$(DATADIR)/oci-compat

.PHONY: clean
clean: ## Remove what was built, but not the tools
	rm -rf target/$(TARGET) target/release target/debug target/doc
