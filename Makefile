# Every verb of the project; `make help` lists them. All builds go through scripts/cargo and so through the one toolchain
# that scripts/setup chose. Nothing is built twice: each part has a real file as its target, with its sources as
# prerequisites, so that `make run` after a build starts QEMU at once.

MODE   ?= release
TARGET ?= $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),$(CURDIR)/target)
ACCEL  ?= auto
SMP    ?= 1
MEM    ?= 512
# Foreign parts, as paths; empty means the project's own.
ZBI        ?=
USERBOOT   ?=
VDSO       ?=
DECOMPRESS ?=
CMDLINE    ?= userboot=bin/shell
# For `make foreign`: the ledger, and more arguments of `harness foreign` (see its --help).
LEDGER     ?=
ARGS       ?=
QEMU_EXTRA ?=
export TARGET ACCEL SMP MEM QEMU_EXTRA CMDLINE
unexport CARGO_TARGET_DIR RUSTFLAGS

ifneq ($(filter-out release debug,$(MODE)),)
$(error MODE=$(MODE): say release or debug)
endif
PROFILE := $(if $(filter release,$(MODE)),--release,)

OUT := $(TARGET)/$(MODE)
ESP := $(OUT)/esp

# --- How each kind of part is compiled ------------------------------------------------------------------------------
# The kernel, the user programs and the loader have target directories of their own, since their flags differ.
CARGO     := scripts/cargo
BUILD_STD := -Zbuild-std=core,alloc,compiler_builtins -Zbuild-std-features=compiler-builtins-mem
BARE      := --target x86_64-unknown-none $(BUILD_STD)
UEFI      := --target x86_64-unknown-uefi $(BUILD_STD)

KERNEL_RUSTFLAGS := -Clinker=ld.lld -Clinker-flavor=ld.lld -Crelocation-model=static -Ccode-model=kernel \
    -Clink-arg=-T$(CURDIR)/zCore/linker.ld
# The user programs are linked by scripts/build-vdso, -userboot and -programs; these flags are for checking them.
USER_RUSTFLAGS   := -Crelocation-model=pic
UEFI_RUSTFLAGS   := -Clinker=lld-link -Clinker-flavor=lld-link

KERNEL_CARGO := RUSTFLAGS="$(KERNEL_RUSTFLAGS)" $(CARGO)
USER_CARGO   := RUSTFLAGS="$(USER_RUSTFLAGS)" $(CARGO)
UEFI_CARGO   := RUSTFLAGS="$(UEFI_RUSTFLAGS)" $(CARGO)
HOST_CARGO   := $(CARGO)
IN_KERNEL    := $(BARE) --target-dir $(TARGET)/kernel
IN_USER      := $(BARE) --target-dir $(TARGET)/user
IN_UEFI      := $(UEFI) --target-dir $(TARGET)/uefi
IN_HOST      := --target-dir $(TARGET)/host

PROGRAMS      ?= shell hello demo core-tests microbenchmarks stress debugger
USER_CRATES   := vdso userboot libzx mini-process $(PROGRAMS)
TOOL_CRATES   := zbi-tool image-tool abi-docs harness
# Crates whose tests run on a host.
HOST_CRATES   := zx-abi boot-info executor kernel-hal kernel-hal-hosted zircon-object object-interleavings object-bench \
    zircon-syscall zircon-loader rboot vdso libzx mini-process userboot shell core-tests bench-report profile $(TOOL_CRATES)

DOC_CRATES    := zircon-loader zircon-syscall zircon-object kernel-hal kernel-hal-hosted executor zx-abi boot-info rboot \
    libzx bench-report profile $(TOOL_CRATES)

# The sources of a set of directories; directories themselves are in the list because a file may vanish.
sources = Cargo.toml Cargo.lock scripts/cargo $(TOOLCHAIN) $(shell find $(1) -mindepth 1 -type d -o -name '*.rs' -o -name '*.toml' \
    -o -name '*.ld' -o -name '*.S' -o -name '*.txt' -o -name '*.conf' 2>/dev/null)
TOOLCHAIN   := $(TARGET)/toolchain.env
KERNEL_DIRS := zCore zircon-loader zircon-syscall zircon-object kernel-hal kernel-hal-bare executor zx-abi boot-info
USER_DIRS   := user zx-abi
UEFI_DIRS   := rboot boot-info zx-abi
TOOL_DIRS   := tools zx-abi boot-info

.DELETE_ON_ERROR:
.PHONY: help run test core-tests core-tests-ledger foreign bench bench-report bench-check bench-baseline bench-growth bench-page bench-native native-counts native-baseline profile image debug doc fmt lint clean hal-missing \
    setup kernel user loader tools esp default-image host-tests loom fmt-check kernel-tests kernel-test-kernels conformance conformance-check \
    link-without-backend

help: ## this list
	@echo 'make <verb> [VARIABLE=value ...]'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 16
	@echo 'Variables:'
	@echo '  ZBI USERBOOT VDSO DECOMPRESS   foreign boot image, userboot, vDSO, decompressor image (paths)'
	@echo '  CMDLINE="$(CMDLINE)"    kernel command line'
	@echo '  FILTER=Suite.Case  BOOT="command"  of core-tests: only these; on another kernel, which the command boots with the'
	@echo '                                 program $$PROGRAM and the kernel command line $$CMDLINE, console on standard output'
	@echo '  LEDGER=file  ARGS="..."         of foreign: the ledger, and more arguments (target/host/debug/harness foreign --help)'
	@echo '  SMP=$(SMP)  MEM=$(MEM)  (MiB)  ACCEL=$(ACCEL)  (auto, kvm, tcg)  MODE=$(MODE)  (release, debug)  QEMU_EXTRA="$(QEMU_EXTRA)"'

# --- Toolchain ------------------------------------------------------------------------------------------------------
$(TOOLCHAIN): scripts/setup rust-toolchain.toml
	@scripts/setup

setup: ## check the tools, install what is missing, choose the toolchain
	@scripts/setup

# --- Parts ----------------------------------------------------------------------------------------------------------
# What boots has no symbols, as they would only be read from disk; gdb takes the other file.
KERNEL  := $(OUT)/zcore.elf
SYMBOLS := $(OUT)/zcore.symbols.elf
$(KERNEL): $(call sources,$(KERNEL_DIRS)) Makefile
	$(KERNEL_CARGO) build -p zcore --bin zcore $(PROFILE) $(IN_KERNEL)
	@mkdir -p $(OUT)
	@cp $(TARGET)/kernel/x86_64-unknown-none/$(MODE)/zcore $(SYMBOLS)
	@objcopy --strip-all $(SYMBOLS) $@
kernel: $(KERNEL)

LOADER := $(OUT)/rboot.efi
$(LOADER): $(call sources,$(UEFI_DIRS)) Makefile
	$(UEFI_CARGO) build -p rboot $(PROFILE) $(IN_UEFI)
	@mkdir -p $(OUT)
	@cp $(TARGET)/uefi/x86_64-unknown-uefi/$(MODE)/rboot.efi $@
loader: $(LOADER)

OWN_VDSO     := $(OUT)/libzircon.so
OWN_USERBOOT := $(OUT)/userboot.so
# Its name tells which programs there are, so that another choice of them is another target.
empty :=
USER_STAMP   := $(OUT)/user-$(subst $(empty) ,-,$(strip $(PROGRAMS))).stamp
BUILD_USER   := CARGO_TARGET_DIR=$(TARGET)/user
$(OWN_VDSO): $(call sources,user/vdso zx-abi) scripts/build-vdso
	$(BUILD_USER) scripts/build-vdso $@
$(OWN_USERBOOT): $(OWN_VDSO) $(call sources,$(USER_DIRS)) scripts/build-userboot
	$(BUILD_USER) scripts/build-userboot $@
$(USER_STAMP): $(OWN_VDSO) $(OWN_USERBOOT) $(call sources,$(USER_DIRS)) scripts/build-programs
	$(BUILD_USER) scripts/build-programs $(OUT)/bin $(PROGRAMS)
	@touch $@
user: $(USER_STAMP)

HARNESS  := $(TARGET)/host/debug/harness
ZBI_TOOL := $(TARGET)/host/debug/zbi
IMAGER   := $(TARGET)/host/debug/image-tool
TOOLS_STAMP := $(TARGET)/host/tools.stamp
$(TOOLS_STAMP): $(call sources,$(TOOL_DIRS)) Makefile
	$(HOST_CARGO) build $(TOOL_CRATES:%=-p %) $(IN_HOST)
	@touch $@
$(HARNESS) $(ZBI_TOOL) $(IMAGER): $(TOOLS_STAMP) ;
tools: $(TOOLS_STAMP)

OWN_ZBI := $(OUT)/zcore.zbi
default-image: $(OWN_ZBI)
$(OWN_ZBI): $(USER_STAMP) $(TOOLS_STAMP)
	@$(ZBI_TOOL) create --quiet --output $@ $(foreach p,$(PROGRAMS),bin/$(p)=$(OUT)/bin/$(p))

# --- Running --------------------------------------------------------------------------------------------------------
# A foreign path that leads nowhere ends make with one line and exit code 2.
FOREIGN := ZBI USERBOOT VDSO DECOMPRESS
ifneq ($(filter run debug image esp foreign,$(MAKECMDGOALS)),)
$(foreach v,$(FOREIGN),$(if $($(v)),$(if $(shell test -f '$($(v))' && echo yes),,$(error $(v)=$($(v)): no such file))))
endif
USE_ZBI      := $(or $(ZBI),$(OWN_ZBI))
USE_USERBOOT := $(or $(USERBOOT),$(OWN_USERBOOT))
USE_VDSO     := $(or $(VDSO),$(OWN_VDSO))

esp: $(KERNEL) $(LOADER) $(if $(ZBI),,$(OWN_ZBI)) $(if $(and $(USERBOOT),$(VDSO)),,$(USER_STAMP))
	@scripts/esp $(ESP) loader='$(LOADER)' kernel='$(KERNEL)' userboot='$(USE_USERBOOT)' vdso='$(USE_VDSO)' \
	    zbi='$(USE_ZBI)' $(if $(DECOMPRESS),decompress='$(DECOMPRESS)') cmdline="$$CMDLINE"

run: esp ## boot in QEMU; this terminal is the serial console (Ctrl-A X quits)
	@scripts/qemu $(ESP)

debug: esp ## boot in QEMU stopped for gdb, with symbols
	@scripts/setup debug
	@sed 's|@KERNEL@|$(SYMBOLS)|' scripts/gdbinit.in >$(OUT)/gdbinit
	@echo 'In another terminal: gdb -x $(OUT)/gdbinit'
	@scripts/qemu $(ESP) -S -gdb tcp::1234

image: esp $(TOOLS_STAMP) ## a GPT disk image for a USB stick or a virtual machine
	@$(IMAGER) disk --out $(OUT)/zcore.img --size-mib $$(($$(du -sm $(ESP) | cut -f1) + 40)) \
	    $$(find $(ESP) -type f -printf '%p=%P\n')
	@echo '$(OUT)/zcore.img: write it to a stick with dd, or boot it: scripts/qemu $(OUT)/zcore.img'

# --- Tests ----------------------------------------------------------------------------------------------------------
export MAKE
HARNESS_ENV := TARGET=$(TARGET) MODE=$(MODE)
test: $(TOOLS_STAMP) ## everything CI runs, with one summary at the end
	@$(HARNESS_ENV) $(HARNESS) all

core-tests: esp $(TOOLS_STAMP) ## boot straight into core-tests and report
	@$(HARNESS_ENV) $(HARNESS) core-tests

core-tests-ledger: esp $(TOOLS_STAMP) ## write conformance/core-tests.txt anew from a run
	@$(HARNESS_ENV) $(HARNESS) core-tests --write

foreign: $(KERNEL) $(LOADER) $(if $(ZBI),,$(OWN_ZBI)) $(if $(and $(USERBOOT),$(VDSO)),,$(USER_STAMP)) $(TOOLS_STAMP) ## run parts that others made, and compare with LEDGER
	@$(if $(LEDGER),,echo 'say LEDGER=file' >&2; exit 2;) $(HARNESS_ENV) $(HARNESS) foreign --ledger '$(LEDGER)' --cmdline "$$CMDLINE" \
	    $(if $(ZBI),--zbi '$(ZBI)') $(if $(USERBOOT),--userboot '$(USERBOOT)') $(if $(VDSO),--vdso '$(VDSO)') \
	    $(if $(DECOMPRESS),--decompress '$(DECOMPRESS)') $(ARGS)

# Charts need crates that nothing else does, so this tool is built only where it is used.
BENCH_REPORT_STAMP := $(TARGET)/host/bench-report.stamp
$(BENCH_REPORT_STAMP): $(call sources,tools/bench-report) Makefile
	$(HOST_CARGO) build -p bench-report $(IN_HOST)
	@touch $@
bench-report: $(BENCH_REPORT_STAMP)

# BASE is a record to compare with; KERNEL_CMD a command that boots another kernel into bin/microbenchmarks, KERNEL_NAME its
# name and OUTPUT the record to write. See docs/benchmarks.md.
BENCH_ENV = $(HARNESS_ENV) FILTER='$(FILTER)' SET='$(SET)' BASE='$(BASE)' KERNEL_CMD='$(KERNEL_CMD)' KERNEL_NAME='$(KERNEL_NAME)' \
    OUTPUT='$(OUTPUT)' COMMIT='$(COMMIT)' MEM='$(MEM)'
BENCH_PARTS := $(if $(KERNEL_CMD),,esp) $(TOOLS_STAMP) $(BENCH_REPORT_STAMP)
bench: $(BENCH_PARTS) ## measure, and compare with BASE=record.json
	@$(BENCH_ENV) $(HARNESS) bench

bench-check: $(BENCH_PARTS) ## count instructions and hold them against conformance/bench.json
	@$(BENCH_ENV) $(HARNESS) bench-check

bench-baseline: $(BENCH_PARTS) ## count instructions and write conformance/bench.json anew
	@$(BENCH_ENV) $(HARNESS) bench-baseline

bench-growth: SET := growth
bench-growth: OUTPUT := $(TARGET)/bench/growth.json
bench-growth: MEM := 4096
bench-growth: $(BENCH_PARTS) ## measure how costs grow, for docs/benchmarks.md
	@$(BENCH_ENV) $(HARNESS) bench-growth

PROFILE_STAMP := $(TARGET)/host/profile.stamp
$(PROFILE_STAMP): $(call sources,tools/profile) Makefile
	$(HOST_CARGO) build -p profile $(IN_HOST)
	@touch $@
profile: esp $(PROFILE_STAMP) ## guest instructions by kernel function, for ROW=name of a row of microbenchmarks
	@$(if $(ROW),,echo 'say ROW=name, such as ROW=Event/Signal' >&2; exit 2;) TARGET=$(TARGET) scripts/profile $(ESP) $(SYMBOLS) $(TARGET)/host/debug/profile '$(ROW)'

# The object layer on the host; optimized as far as the kernel, but linked more quickly.
OBJECT_BENCH := $(TARGET)/native/release/object-bench
NATIVE_CARGO := CARGO_PROFILE_RELEASE_LTO=thin CARGO_PROFILE_BENCH_LTO=thin CARGO_TARGET_DIR=$(TARGET)/native $(HOST_CARGO)
$(OBJECT_BENCH): $(call sources,zircon-object kernel-hal kernel-hal-hosted executor zx-abi) Makefile
	$(NATIVE_CARGO) build -p object-bench --release
	@touch $@
native-counts: $(OBJECT_BENCH)
	@scripts/setup native
	@mkdir -p $(TARGET)/bench
	@scripts/native-counts $(OBJECT_BENCH) $(TARGET)/bench/callgrind.txt && cat $(TARGET)/bench/callgrind.txt

native-baseline: native-counts ## count the object layer on the host and write conformance/native.txt anew
	@cp $(TARGET)/bench/callgrind.txt conformance/native.txt

bench-native: native-counts $(BENCH_REPORT_STAMP) ## the object layer on the host: criterion's times, callgrind's counts
	$(NATIVE_CARGO) bench -p object-bench
	@$(TARGET)/host/debug/bench-report native $(TARGET)/native/criterion $(TARGET)/bench/callgrind.txt docs/benchmarks.md

bench-page: BASE := $(or $(BASE),conformance/bench-zircon-2019.json)
bench-page: $(BENCH_PARTS) ## measure, and write the comparison with BASE into docs/benchmarks.md
	@$(BENCH_ENV) $(HARNESS) bench-page

host-tests: $(TOOLCHAIN)
	$(HOST_CARGO) test $(HOST_CRATES:%=-p %) --no-fail-fast $(IN_HOST)

# The executor is compiled for loom as a whole, optimized, but not linked as carefully as the kernel. The objects' part is a
# crate of its own, and among the host tests too.
loom: $(TOOLCHAIN) ## explore all interleavings of wakers, signals and waits
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 RUSTFLAGS="--cfg loom" $(HOST_CARGO) test -p executor \
	    --release --test interleavings --target-dir $(TARGET)/loom
	$(HOST_CARGO) test -p object-interleavings $(IN_HOST)

fmt: $(TOOLCHAIN) ## format all sources
	$(HOST_CARGO) fmt --all

fmt-check: $(TOOLCHAIN)
	$(HOST_CARGO) fmt --all --check

lint: $(TOOLS_STAMP) ## clippy over every crate, warnings are errors; what the documents name must exist
	@$(HARNESS_ENV) $(HARNESS) docs
	$(HOST_CARGO) clippy --keep-going $(patsubst %,-p %,$(filter-out userboot object-interleavings $(PROGRAMS),$(HOST_CRATES))) --all-targets $(IN_HOST) -- -D warnings
	$(HOST_CARGO) clippy -p object-interleavings --lib --test waiting $(IN_HOST) -- -D warnings
	$(KERNEL_CARGO) clippy -p zcore -p kernel-hal-bare --lib --bins $(KERNEL_TESTS:%=--test %) --release $(IN_KERNEL) -- -D warnings
	$(USER_CARGO) clippy $(USER_CRATES:%=-p %) --release $(IN_USER) -- -D warnings
	$(UEFI_CARGO) clippy -p rboot --release $(IN_UEFI) -- -D warnings

doc: $(TOOLCHAIN) ## the API pages of every crate, in target/doc
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(HOST_CARGO) doc --no-deps --document-private-items --keep-going \
	    $(DOC_CRATES:%=-p %) --target-dir $(TARGET)/host
	@rm -rf $(TARGET)/doc && cp -r $(TARGET)/host/doc $(TARGET)/doc

kernel-tests: esp $(TOOLS_STAMP) ## boot the kernels of zCore/tests, one guest each
	@$(HARNESS_ENV) $(HARNESS) kernel-tests

# One kernel per file of zCore/tests.
KERNEL_TESTS := $(patsubst zCore/tests/%.rs,%,$(wildcard zCore/tests/*.rs))
kernel-test-kernels: $(TOOLCHAIN)
	@rm -rf $(OUT)/kernel-tests && mkdir -p $(OUT)/kernel-tests
	@$(KERNEL_CARGO) build -p zcore $(KERNEL_TESTS:%=--test %) $(PROFILE) $(IN_KERNEL) \
	    --message-format=json-render-diagnostics >$(OUT)/kernel-tests.json
	@for test in $(KERNEL_TESTS); do \
	    sed -n 's|.*"executable":"\([^"]*/'$$test'-[^"/]*\)".*|\1|p' $(OUT)/kernel-tests.json | tail -1 | \
	        xargs -I{} cp {} $(OUT)/kernel-tests/$$test.elf || exit 1; \
	done

ABI_DOCS := $(TARGET)/host/debug/abi-docs
conformance-check: $(TOOLS_STAMP)
	@$(ABI_DOCS) --root $(CURDIR) --check
conformance: $(TOOLS_STAMP) ## write docs/syscalls.md, conformance/syscalls.txt and the README's table anew
	@$(ABI_DOCS) --root $(CURDIR) --write --readme

link-without-backend: $(TOOLCHAIN)
	@RUSTFLAGS="$(KERNEL_RUSTFLAGS)" scripts/link-without-backend $(BARE)

hal-missing: $(TOOLCHAIN) ## after a failed link: which HAL functions no backend defines
	@RUSTFLAGS="$(KERNEL_RUSTFLAGS)" scripts/hal-missing -p zcore --bin zcore $(PROFILE) $(IN_KERNEL)

clean: ## remove everything that was built
	rm -rf $(TARGET)
