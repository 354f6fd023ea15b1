# SPDX-License-Identifier: GPL-2.0-only
#
# cache-tools: one multi-call binary over one library.
#
#   make deps		install the missing Debian packages (deps-kernel: for check-kernel,
#			deps-cross: for check-cross, deps-package: for deb and check-package,
#			deps-bench: programs of others that bench compares with)
#   make		build build/bin/cache-tools, every applet beside it
#   make demo		format an image and tour one that a kernel wrote
#   make check		all tests and lints		(needs nothing but make deps)
#   make check-KIND	one kind: unit cli fsck images crash fuzz counts hostile lint
#   make check-asan	all, under address and undefined-behaviour sanitizers
#   make check-user	a slice of them as an ordinary user, also when root runs it
#   make check-kernel	boot real kernels on what we read and write
#   make check-package	the Debian packages: built twice, lintian, booted as root on bcache (root)
#   make bench		speeds as ratios, side by side (BENCH_SIZE=long: the largest sets too);
#			bench-compare OLD=FILE NEW=FILE: two saved results
#   make check-long	ten million steps of the allocator, thousands of damaged sets, large ones
#   make check-tsan	the threads of the allocator and of a check, under the thread sanitizer
#   make check-cross	the same bytes on big-endian and 32-bit machines, emulated
#   make fuzz		every fuzz target for T=60 seconds, with clang
#   make analyze	-fanalyzer, cppcheck and clang-tidy over the source
#   make check-valgrind	the unit tests under valgrind
#   make coverage	which lines and branches the tests reach
#   make install	DESTDIR= PREFIX=/usr/local
#   make install-boot	udev rule, hooks of initramfs-tools, dracut, mkinitcpio: the packages have them
#   make deb		Debian packages in build/deb, of the last commit
#   make uninstall	takes away what install placed
#   make dist		the release's tarball, of the last commit: same bytes every time
#   make help		this text
#
# Switches: V=1 shows the commands, WERROR=1 stops at warnings, BUILD=dir builds
# elsewhere, SAN=address,undefined builds with sanitizers, HARDEN= HARDEN_LD= leave hardening out,
# CC= CFLAGS= LDFLAGS=.

BUILD	?= build
PREFIX	?= /usr/local
DESTDIR	?=
SBINDIR	?= $(PREFIX)/sbin
LIBDIR	?= $(PREFIX)/lib
INCDIR	?= $(PREFIX)/include
MANDIR	?= $(PREFIX)/share/man
BASHDIR	?= $(PREFIX)/share/bash-completion/completions
# systemd looks there under /usr/local too
UNITDIR	?= $(PREFIX)/lib/systemd/system
SAVEDIR	?= $(PREFIX)/lib/cache-tools
ZSHDIR	?= $(PREFIX)/share/zsh/site-functions
FISHDIR	?= $(PREFIX)/share/fish/vendor_completions.d
DOCDIR	?= $(PREFIX)/share/doc/cache-tools
# The version stands in libcache/version.h alone; NEWS is held to it.
VERSION	:= $(shell sed -n 's/^.define CACHE_VERSION_[MP]A*[A-Z]*[[:space:]]\{1,\}\([0-9]*\)$$/\1/p' \
		include/libcache/version.h | paste -s -d.)
# What programs ask for that are linked with the shared library; changes with its interface.
SONAME	:= libcache.so.0

ifneq ($(V),1)
Q := @
endif

CFLAGS	?= -O2 -g
WARN	:= -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wvla \
	   -Wpointer-arith -Wimplicit-fallthrough -Wno-unused-parameter \
	   -Wno-missing-field-initializers
ifeq ($(WERROR),1)
WARN	+= -Werror
endif
ifneq ($(SAN),)
SANFLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif

# Hardening, each flag where the compiler has it. HARDEN= leaves all of it out, HARDEN='-flag'
# names others. Sanitizers and builds without optimization do not go with FORTIFY_SOURCE.
HARDEN	?= -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
HARDEN_LD ?= -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
# Asked on first use, as pkg-config below.
cc_has = $(shell d=$$(mktemp -d) && echo 'int main(void) { return 0; }' > $$d/try.c && \
	for f in $(2); do $(CC) -Werror $(1) $$f -o $$d/try $$d/try.c 2> /dev/null && echo $$f; done; \
	rm -rf $$d)
HARDEN_CFLAGS = $(eval HARDEN_CFLAGS := $(call cc_has,,$(HARDEN)) $(fortify))$(HARDEN_CFLAGS)
HARDEN_LDFLAGS = $(eval HARDEN_LDFLAGS := $(call cc_has,$(filter -fPIE,$(HARDEN)),$(HARDEN_LD)))$(HARDEN_LDFLAGS)
ifneq ($(HARDEN),)
ifeq ($(SAN),)
fortify = $(if $(filter -O1 -O2 -O3 -Os -Oz,$(CFLAGS)),-U_FORTIFY_SOURCE \
	$(firstword $(call cc_has,-O2,-D_FORTIFY_SOURCE=3 -D_FORTIFY_SOURCE=2)))
endif
endif

LIB_PKGS := blkid mount uuid libisal liburing json-c smartcols
# What is left out where it is not there: metadata images need zstd.
OPTIONAL_PKGS := libzstd
# Asked on first use, not here: "make deps demo" installs pkg-config before that.
FOUND_PKGS = $(eval FOUND_PKGS := $(foreach p,$(OPTIONAL_PKGS),$(shell pkg-config --exists $p && echo $p)))$(FOUND_PKGS)
PKG_CFLAGS = $(eval PKG_CFLAGS := $(if $(LIB_PKGS),$(shell pkg-config --cflags $(LIB_PKGS) $(FOUND_PKGS))))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $(if $(LIB_PKGS),$(shell pkg-config --libs $(LIB_PKGS) $(FOUND_PKGS))))$(PKG_LIBS)

ALL_CPPFLAGS := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
		-Iinclude -Ilibcache $(CPPFLAGS)
ALL_CFLAGS = $(ALL_CPPFLAGS) $(WARN) $(SANFLAGS) $(HARDEN_CFLAGS) $(CFLAGS) $(PKG_CFLAGS) -pthread
ALL_LDFLAGS = $(SANFLAGS) $(HARDEN_LDFLAGS) $(LDFLAGS) -pthread
LIBS = $(PKG_LIBS)

LIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard libcache/*/*.c))
ifeq ($(CROSS),1)
# For another machine, for tests alone: what needs no library but libc.
LIB_OBJ := $(filter-out $(addprefix $(BUILD)/libcache/,dev/dev_uring.o host/ids.o host/mounts.o host/probe.o report/report.o), \
	$(LIB_OBJ)) $(BUILD)/tests/cross/doors.o
LIB_PKGS :=
OPTIONAL_PKGS :=
ALL_CPPFLAGS += -Itests/cross
endif
CMD_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard cmd/*.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))
TOOL_BIN := $(patsubst tests/lib/%.c,$(BUILD)/tests/%,$(wildcard tests/lib/*.c))
IMAGES := $(patsubst tests/images/%.xz,$(BUILD)/images/%,$(wildcard tests/images/*.xz))
CRASH_BIN := $(patsubst tests/crash/%.c,$(BUILD)/crash/%,$(wildcard tests/crash/crash_*.c))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

# The one list of applets and compat names; everything else asks it.
APPLET_NAMES := $(shell awk -F'"' '/^(APPLET|ALIAS|HELPER)/ { print $$2 }' cmd/applets.def)
ALIAS_NAMES := $(shell awk -F'"' '/^ALIAS/ { print $$2 }' cmd/applets.def)
LINKS := $(addprefix $(BUILD)/bin/,$(APPLET_NAMES))

all: $(BUILD)/bin/cache-tools $(LINKS) $(BUILD)/libcache.so

help:
	@sed -n '/^# cache-tools/,/^$$/p' Makefile | expand | sed 's/^# \{0,1\}//'

# A changed flag rebuilds everything: this file changes only when they do.
FLAGS_NOW = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LIBS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(FLAGS_NOW))' > $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@$(if $(Q),echo "  CC      $<")
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libcache/image/zframe.o: private ALL_CPPFLAGS += $(if $(filter libzstd,$(FOUND_PKGS)),-DCACHE_HAVE_ZSTD)

# One set of objects for both libraries; only what public headers declare is visible.
$(LIB_OBJ): private ALL_CFLAGS += -fPIC -fvisibility=hidden

$(BUILD)/libcache.a: $(LIB_OBJ)
	@$(if $(Q),echo "  AR      $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

# The exported functions and what they need, no more.
SO_MAP := include/libcache.map
SO_WANTS = $(shell sed -n 's/^[[:space:]]\(cache_[a-z0-9_]*\);/-Wl,-u,\1/p' $(SO_MAP))
$(BUILD)/libcache.so: $(BUILD)/libcache.a $(SO_MAP)
	@$(if $(Q),echo "  LD      $@")
	$(Q)$(CC) -shared $(filter-out -pie,$(ALL_LDFLAGS)) -Wl,-soname,$(SONAME) -Wl,--version-script=$(SO_MAP) \
		-Wl,-z,defs -Wl,--as-needed -o $(BUILD)/libcache.so.$(VERSION) $(SO_WANTS) \
		$(BUILD)/libcache.a $(LIBS)
	$(Q)ln -sf libcache.so.$(VERSION) $(BUILD)/$(SONAME)
	$(Q)ln -sf $(SONAME) $@

# The plugin of nbdkit, where that is there to build it for.
PLUGIN_SRC := plugin/nbdkit_plugin.c
PLUGIN := $(if $(CROSS),,$(patsubst %,$(BUILD)/nbdkit-cache-tools-plugin.so,$(shell pkg-config --exists nbdkit 2>/dev/null && echo 1)))
# under our prefix; what has another one than nbdkit is found by cache-serve, and not by nbdkit
PLUGINDIR ?= $(if $(PLUGIN),$(shell pkg-config --define-variable=prefix=$(PREFIX) --variable=plugindir nbdkit))
$(BUILD)/nbdkit-cache-tools-plugin.so: $(PLUGIN_SRC:%.c=$(BUILD)/%.o) $(BUILD)/libcache.a
	@$(if $(Q),echo "  LD      $@")
	$(Q)$(CC) -shared $(filter-out -pie,$(ALL_LDFLAGS)) -Wl,--as-needed -o $@ $^ $(LIBS)
$(PLUGIN_SRC:%.c=$(BUILD)/%.o): private ALL_CFLAGS += -fPIC -fvisibility=hidden
$(BUILD)/cmd/cache_serve_nbdkit.o: private ALL_CPPFLAGS += $(if $(PLUGIN),-DCACHE_PLUGIN_FOLDER='"$(shell pkg-config \
	--define-variable=prefix=.. --variable=plugindir nbdkit)"')
all: $(PLUGIN)

$(BUILD)/bin/cache-tools: $(CMD_OBJ) $(BUILD)/libcache.a
	@mkdir -p $(@D)
	@$(if $(Q),echo "  LD      $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(CMD_OBJ) $(BUILD)/libcache.a $(LIBS)

$(LINKS): $(BUILD)/bin/cache-tools
	@ln -sf cache-tools $@

# Test programs: one .c each, linked with the library that ships. Compiling and linking are apart,
# so that a changed library links them anew and no more.
define test_program
$(BUILD)/$(1)/obj/%.o: tests/$(2)/%.c $(BUILD)/flags
	@mkdir -p $$(@D)
	@$$(if $$(Q),echo "  CC      $$<")
	$$(Q)$$(CC) $$(ALL_CFLAGS) -Itests/lib -MMD -MP -c -o $$@ $$<

$(BUILD)/$(1)/%: $(BUILD)/$(1)/obj/%.o $(BUILD)/libcache.a
	@$$(if $$(Q),echo "  LD      $$@")
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(ALL_LDFLAGS) -o $$@ $$(filter %.o,$$^) $(BUILD)/libcache.a $$(LIBS)
endef
$(eval $(call test_program,unit,unit))
$(eval $(call test_program,tests,lib))
$(eval $(call test_program,bench,bench))
$(eval $(call test_program,crash,crash))
$(eval $(call test_program,fuzz,fuzz))

# A fuzz target plays back its corpus, or, built for make fuzz, looks for more.
ifeq ($(FUZZER),1)
$(FUZZ_BIN): ALL_LDFLAGS += -fsanitize=fuzzer
else
$(FUZZ_BIN): $(BUILD)/fuzz/obj/replay.o
endif

# This one calls applets, by their functions.
$(BUILD)/fuzz/fuzz_show: $(filter-out %/main.o,$(CMD_OBJ))
$(BUILD)/fuzz/obj/fuzz_show.o: private ALL_CPPFLAGS += -Icmd

# The one test program in several files.
POKE_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/lib/poke/*.c))
$(BUILD)/tests/poke: $(POKE_OBJ)

# Crash tests let the n-th allocation fail.
comma := ,
$(CRASH_BIN): private ALL_LDFLAGS += $(addprefix -Wl$(comma)--wrap=,malloc calloc \
	realloc reallocarray aligned_alloc strdup)
$(BUILD)/crash/crash_calls: private ALL_LDFLAGS += $(addprefix -Wl$(comma)--wrap=,pread64 \
	pwrite64 write fsync fdatasync open64 __open64_2 stat64 fstat64 ioctl ftruncate64 \
	close io_uring_queue_init io_uring_queue_exit io_uring_submit __io_uring_get_cqe)

# What tests put in front of the C library.
PRELOAD := $(patsubst tests/lib/preload/%.c,$(BUILD)/tests/%.so,$(wildcard tests/lib/preload/*.c))
$(BUILD)/tests/%.so: tests/lib/preload/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -fPIC -shared -o $@ $< -ldl

# Images that a kernel wrote, unpacked once; tests copy before they change one.
$(BUILD)/images/%: tests/images/%.xz
	@mkdir -p $(@D)
	$(Q)xz -dc $< | dd of=$@ conv=sparse bs=64k status=none

tests: all $(UNIT_BIN) $(CRASH_BIN) $(FUZZ_BIN) $(TOOL_BIN) $(PRELOAD) $(IMAGES)
benches: all $(BENCH_BIN) $(BUILD)/tests/poke

check: tests
	$(Q)BUILD=$(BUILD) tests/run

# One kind of test alone: make check-unit, check-cli, check-fsck, check-lint ...
CHECK_KINDS := unit cli fsck images crash fuzz counts hostile lint
$(CHECK_KINDS:%=check-%): check-%: tests
	$(Q)BUILD=$(BUILD) tests/run $*

# What may depend on who runs it, as an ordinary user.
check-user: tests
	$(Q)BUILD=$(BUILD) tests/as_user

check-asan:
	$(Q)$(MAKE) --no-print-directory BUILD=build/asan SAN=address,undefined \
		CFLAGS='-O1 -g' check

# All that make check has a slice of: each stage goes on where the one before failed, and
# the last line counts. T= seconds a fuzz target; a failure prints the seed that repeats it.
CHECK_STEPS ?= 10000000
CHECK_SEED  ?= 1
MAUL_RUNS   ?= 1112
check-long: tests
	$(Q)BUILD=$(BUILD) CHECK_STEPS=$(CHECK_STEPS) CHECK_SEED=$(CHECK_SEED) \
		MAUL_RUNS=$(MAUL_RUNS) MAUL_SEED=$(CHECK_SEED) T=$(T) tests/long $(STAGES)

# And the threads of a check, on some kinds of damage.
check-tsan:
	$(Q)$(MAKE) --no-print-directory BUILD=build/tsan SAN=thread CFLAGS='-O1 -g' \
		build/tsan/unit/test_alloc_thread build/tsan/unit/test_workers \
		all build/tsan/tests/poke
	$(Q)build/tsan/unit/test_alloc_thread && build/tsan/unit/test_workers
	$(Q)$(MAKE) --no-print-directory $(IMAGES)
	$(Q)[ -e build/tsan/images ] || ln -s $(abspath $(BUILD))/images build/tsan/images
	$(Q)TSAN_OPTIONS="exitcode=66 halt_on_error=1" BUILD=build/tsan \
		tests/fsck/threads child_lost child_range extent_shared extent_stale_dirty node_csum node_twice

# Big-endian and 32-bit machines, emulated: the tests of what is said to the medium.
CROSS_TESTS := $(addprefix unit/test_,alloc backup bkey btree bucket commit crc64 human set \
	journal keys mark offline policy prio sectors super undo uuids) \
	fuzz/fuzz_backup fuzz/fuzz_image fuzz/fuzz_parts fuzz/fuzz_undo
check-cross: $(IMAGES)
	$(Q)BUILD=$(BUILD) tests/cross/run $(CROSS_TESTS)
cross-tests: $(CROSS_TESTS:%=$(BUILD)/%)

# Each target for T seconds, with clang, sanitizers, bounds on time and memory.
T	?= 60
fuzz:
	$(Q)$(MAKE) --no-print-directory BUILD=build/fuzzing CC=clang FUZZER=1 \
		SAN=address,undefined,fuzzer-no-link \
		CFLAGS='-O1 -g -fno-sanitize-coverage=trace-cmp' fuzzers
	$(Q)BUILD=build/fuzzing tests/fuzz/run $(T)
fuzzers: $(FUZZ_BIN) $(IMAGES)

# gcc -fanalyzer, cppcheck, clang-tidy: what is off and why stands in tests/analyze/known.
analyze: all
	$(Q)(BUILD=$(BUILD) tests/analyze/tests_only; tests/analyze/run) | tee $(BUILD)/analyze.log
	$(Q)! grep '^not ok' $(BUILD)/analyze.log

# The unit tests, each access watched; the three that run for long are left to make check-asan, and
# so are most of the places at which test_undo cuts a file off.
check-valgrind: export UNDO_STEP ?= 20011
check-valgrind: $(UNIT_BIN) $(IMAGES)
	$(Q)for t in $(filter-out %/test_alloc_diff %/test_alloc_thread %/test_maul,$(UNIT_BIN)); do \
		BUILD=$(BUILD) valgrind -q --leak-check=full --error-exitcode=9 $$t || exit 1; done

# Lines and branches of libcache that the tests reach; untouched ones are listed.
coverage:
	$(Q)$(MAKE) --no-print-directory BUILD=build/coverage CFLAGS='-O0 -g --coverage' \
		LDFLAGS=--coverage tests
	$(Q)find build/coverage -name '*.gcda' -delete
	-$(Q)CACHE_TOOLS_UNCONFINED=1 BUILD=build/coverage tests/run unit cli fsck images crash fuzz | tail -n 1
	$(Q)tests/lib/coverage build/coverage

# One core, ours and the reference in turn, medians of RUNS.
RUNS	?= 5
bench: benches
	$(Q)for b in alloc pass; do $(BUILD)/bench/bench_$$b $(RUNS) || exit 1; done
	$(Q)BUILD=$(BUILD) tests/bench/table $(RUNS)

# Two results that bench has saved: make bench-compare OLD=FILE NEW=FILE
bench-compare:
	$(Q)tests/bench/compare $(OLD) $(NEW)

demo: all $(IMAGES)
	$(Q)BUILD=$(BUILD) tests/demo

# Real kernels: KERNEL= names Debian packages ([SUITE/]PACKAGE) in the place of the four of
# tests/kernel/run, LONG=1 runs everything on each and cuts the power fifty times, NAME=
# picks scenarios.
KERNEL	?=

$(BUILD)/kernel/guest: tests/kernel/guest/guest.c tests/kernel/guest/written.h
	@mkdir -p $(@D)
	@$(if $(Q),echo "  CC      $<")
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -static -o $@ $<

check-kernel: tests $(BUILD)/kernel/guest $(BUILD)/crash/write_states
	$(Q)BUILD=$(BUILD) KERNEL='$(KERNEL)' LONG=$(LONG) tests/kernel/run $(NAME)

# NAME= picks scenarios of tests/package.
check-package: deb $(IMAGES) $(BUILD)/tests/poke
	$(Q)BUILD=$(BUILD) tests/package/run $(NAME)

images: all $(BUILD)/kernel/guest
	$(Q)BUILD=$(BUILD) KERNEL='$(KERNEL)' tests/kernel/run -i

clean:
	rm -rf $(BUILD)

# What a bare Debian 12 lacks: to build, to run the tests, to boot kernels.
DEPS := gcc g++ libc6-dev make pkg-config libblkid-dev libmount-dev uuid-dev libisal-dev \
	liburing-dev libjson-c-dev libsmartcols-dev libzstd-dev \
	bats bcache-tools jq libnbd-bin nbdkit nbdkit-plugin-dev python3-libnbd qemu-utils man-db python3 python3-jsonschema shellcheck valgrind xxd xz-utils zstd
DEPS_CROSS := qemu-user-static gcc-s390x-linux-gnu libc6-dev-s390x-cross \
	gcc-powerpc-linux-gnu libc6-dev-powerpc-cross
# Without these, rows of bench are left out.
DEPS_BENCH := thin-provisioning-tools e2fsprogs
DEPS_KERNEL := qemu-system-x86 busybox-static cpio kmod fuse2fs xfsprogs
DEPS_PACKAGE := dpkg-dev debhelper fakeroot lintian udev systemd rpm autopkgtest debootstrap e2fsprogs qemu-system-x86

deps:
	$(Q)tests/lib/deps "$(LIB_PKGS)" $(DEPS)
deps-kernel:
	$(Q)tests/lib/deps "$(LIB_PKGS)" $(DEPS) $(DEPS_KERNEL)
deps-cross:
	$(Q)tests/lib/deps "$(LIB_PKGS)" $(DEPS) $(DEPS_CROSS)
deps-bench:
	$(Q)tests/lib/deps "$(LIB_PKGS)" $(DEPS) $(DEPS_BENCH)
deps-package:
	$(Q)tests/lib/deps "$(LIB_PKGS)" $(DEPS) $(DEPS_PACKAGE)
ifneq ($(filter deps%,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

# What a release is: the files of a commit, by name, owner and time of that commit alone.
DIST_REF ?= HEAD
DIST := cache-tools-$(VERSION)
dist:
	@mkdir -p $(BUILD)
	$(Q)git -c tar.umask=0022 archive --format=tar --prefix=$(DIST)/ $(DIST_REF) > $(BUILD)/$(DIST).tar
	$(Q)xz -9 -T1 -f $(BUILD)/$(DIST).tar
	@echo $(BUILD)/$(DIST).tar.xz
version:
	@echo $(VERSION)

INSTALL ?= install
# Every installed path, one per line: install makes them, uninstall takes them away.
MANPAGES := $(wildcard man/*.[3578])
HEADERS := $(patsubst include/%,%,$(wildcard include/libcache/*.h include/libcache/*.def))
DOCS := README.md NEWS SECURITY.md COPYING $(wildcard doc/*.md doc/*.json doc/*.svg doc/samples/*.c)
UNITS := $(wildcard packaging/systemd/*.service packaging/systemd/*.timer)
# where the programs are, if that is not /usr
HERE = sed 's,/usr/sbin/,$(SBINDIR)/,g; s,/usr/lib/cache-tools,$(SAVEDIR),g'
D_SBIN := $(DESTDIR)$(SBINDIR)
INSTALLED = $(D_SBIN)/cache-tools $(APPLET_NAMES:%=$(D_SBIN)/%) \
	$(foreach m,$(MANPAGES),$(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $m))/$(notdir $m)) \
	$(ALIAS_NAMES:%=$(DESTDIR)$(MANDIR)/man8/%.8) \
	$(HEADERS:%=$(DESTDIR)$(INCDIR)/%) \
	$(addprefix $(DESTDIR)$(LIBDIR)/,libcache.a libcache.so $(SONAME) libcache.so.$(VERSION)) \
	$(DESTDIR)$(LIBDIR)/pkgconfig/libcache.pc \
	$(PLUGIN:%=$(DESTDIR)$(PLUGINDIR)/nbdkit-cache-tools-plugin.so) \
	$(addprefix $(DESTDIR)$(UNITDIR)/,$(notdir $(UNITS))) $(DESTDIR)$(SAVEDIR)/cache-save \
	$(DESTDIR)$(ZSHDIR)/_cache-tools \
	$(addprefix $(DESTDIR)$(DOCDIR)/,$(notdir $(DOCS))) \
	$(foreach n,cache-tools $(APPLET_NAMES),$(DESTDIR)$(BASHDIR)/$n $(DESTDIR)$(FISHDIR)/$n.fish)

install: all
	$(INSTALL) -d $(sort $(dir $(INSTALLED)))
	$(INSTALL) -m 755 $(BUILD)/bin/cache-tools $(D_SBIN)
	$(Q)for n in $(APPLET_NAMES); do ln -sf cache-tools $(D_SBIN)/$$n; done
	$(Q)for m in $(MANPAGES); do \
		$(INSTALL) -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/; done
	$(Q)sed -n 's/^ALIAS(\([a-z_]*\),[^"]*"\([^"]*\)".*/\1 \2/p' cmd/applets.def | \
	while read -r stem alias; do \
		echo ".so man8/$$(echo $$stem | tr _ -).8" > $(DESTDIR)$(MANDIR)/man8/$$alias.8; done
	$(Q)for h in $(HEADERS); do $(INSTALL) -m 644 include/$$h $(DESTDIR)$(INCDIR)/$$h; done
	$(INSTALL) -m 644 $(BUILD)/libcache.a $(BUILD)/libcache.so.$(VERSION) $(DESTDIR)$(LIBDIR)
	$(if $(PLUGIN),$(INSTALL) -m 755 $(PLUGIN) $(DESTDIR)$(PLUGINDIR))
	$(Q)ln -sf libcache.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$(SONAME)
	$(Q)ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libcache.so
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'Name: libcache' 'Version: $(VERSION)' \
		"Description: read, check, repair and format bcache devices" \
		'Requires.private: $(LIB_PKGS) $(FOUND_PKGS)' 'Cflags: -I$(INCDIR)' \
		'Libs: -L$(LIBDIR) -lcache' 'Libs.private: -pthread' > $(DESTDIR)$(LIBDIR)/pkgconfig/libcache.pc
	$(INSTALL) -m 644 completions/cache-tools.bash $(DESTDIR)$(BASHDIR)/cache-tools
	$(INSTALL) -m 644 completions/cache-tools.fish $(DESTDIR)$(FISHDIR)/cache-tools.fish
	$(INSTALL) -m 644 completions/_cache-tools $(DESTDIR)$(ZSHDIR)
	$(INSTALL) -m 755 packaging/systemd/cache-save $(DESTDIR)$(SAVEDIR)
	$(Q)for u in $(notdir $(UNITS)); do $(HERE) packaging/systemd/$$u > $(DESTDIR)$(UNITDIR)/$$u && \
		chmod 644 $(DESTDIR)$(UNITDIR)/$$u || exit 1; done
	$(INSTALL) -m 644 $(DOCS) $(DESTDIR)$(DOCDIR)
	$(Q)for n in $(APPLET_NAMES); do ln -sf cache-tools $(DESTDIR)$(BASHDIR)/$$n; \
		ln -sf cache-tools.fish $(DESTDIR)$(FISHDIR)/$$n.fish; done

uninstall:
	rm -f $(INSTALLED)
	-$(Q)rmdir $(DESTDIR)$(INCDIR)/libcache $(DESTDIR)$(DOCDIR) $(DESTDIR)$(SAVEDIR)

# What udev, initramfs-tools, dracut and mkinitcpio read, and no other place than these; the package
# of Debian has it, in the place of what bcache-tools has there. Not part of install: uninstall
# could not bring back what was overwritten.
UDEVDIR ?= $(shell pkg-config --variable=udevdir udev 2> /dev/null || echo /lib/udev)
HOOKDIR ?= /usr/share/initramfs-tools/hooks
DRACUTDIR ?= /usr/lib/dracut/modules.d
INITCPIODIR ?= /usr/lib/initcpio/install
HELPERS := bcache-register $(shell awk -F'"' '/^HELPER/ { print $$2 }' cmd/applets.def)
install-boot:
	$(INSTALL) -d $(addprefix $(DESTDIR),$(UDEVDIR)/rules.d $(HOOKDIR) $(DRACUTDIR)/90bcache \
		$(INITCPIODIR) /etc/default)
	$(INSTALL) -m 644 packaging/udev/69-bcache.rules $(DESTDIR)$(UDEVDIR)/rules.d
	$(Q)for n in $(HELPERS); do ln -sf $(SBINDIR)/cache-tools $(DESTDIR)$(UDEVDIR)/$$n; done
	$(HERE) packaging/initramfs-tools/bcache > $(DESTDIR)$(HOOKDIR)/bcache
	$(HERE) packaging/dracut/module-setup.sh > $(DESTDIR)$(DRACUTDIR)/90bcache/module-setup.sh
	$(HERE) packaging/initcpio/bcache > $(DESTDIR)$(INITCPIODIR)/bcache
	chmod 755 $(DESTDIR)$(HOOKDIR)/bcache $(DESTDIR)$(DRACUTDIR)/90bcache/module-setup.sh \
		$(DESTDIR)$(INITCPIODIR)/bcache
	$(Q)[ -e $(DESTDIR)/etc/default/cache-tools ] || \
		$(INSTALL) -m 644 packaging/default/cache-tools $(DESTDIR)/etc/default/cache-tools

# In a tree of its own, which has nothing but what the tarball has.
DEB := $(BUILD)/deb
deb: dist
	$(Q)rm -rf $(DEB) && mkdir -p $(DEB)
	$(Q)tar -C $(DEB) -xf $(BUILD)/$(DIST).tar.xz
	$(Q)cp $(BUILD)/$(DIST).tar.xz $(DEB)/cache-tools_$(VERSION).orig.tar.xz
	$(Q)cp -r $(DEB)/$(DIST)/packaging/debian $(DEB)/$(DIST)/debian
	cd $(DEB)/$(DIST) && env -u MAKEFLAGS -u MAKELEVEL -u BUILD SOURCE_DATE_EPOCH=$$(git -C $(CURDIR) log -1 --format=%ct $(DIST_REF)) \
		dpkg-buildpackage -us -uc -b

.SECONDARY:
-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/obj/*.d $(BUILD)/libcache/*/*.d $(BUILD)/tests/lib/poke/*.d)

.PHONY: bench bench-compare check-user check-long check-tsan all help tests benches check check-asan demo deps deps-kernel deps-package deps-bench install uninstall \
	clean FORCE $(CHECK_KINDS:%=check-%)
.PHONY: install-boot deb dist version check-cross cross-tests deps-cross check-kernel check-package images fuzz fuzzers analyze check-valgrind coverage
.DELETE_ON_ERROR:
FORCE:
