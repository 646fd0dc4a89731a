/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ve-unpack --output DIR [--report-fd N] SOURCE
 * ve-unpack --verify DIR [--report-fd N] MANIFEST
 *
 * Fills the empty folder DIR from SOURCE: a tar archive in any compression that libarchive reads by itself, "-" for one
 * on stdin, or a folder, which is copied; and writes the manifest of what is in DIR then to stdout. Or compares DIR
 * with a manifest, and writes a line of JSON for each difference. On N: lines "PERCENT DONE TOTAL", and in the end one
 * of JSON that says what was unpacked and left out, or how many differences there are. A program of its own so that
 * libve need not load libarchive and so that hostile bytes are read with little power.
 */
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <iconv.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <locale.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cmd/ve-unpack/manifest.h"
#include "cmd/ve-unpack/unpack.h"
#include "config.h"
#include "lib/base/util.h"
#include "lib/image/store.h"

enum { SUBJECT_MAX = 200, MANIFEST_MAX = 1 << 30 };

/* Names come from the archive: what could steer a terminal or break the line is masked. */
static void print_masked(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		fputc(*p < 0x20 || *p == 0x7f ? '?' : *p, stderr);
}

static _Noreturn void complain(int status, const char *subject, int errnum, const char *fmt, va_list args)
{
	char text[1024];
	vsnprintf(text, sizeof(text), fmt, args);
	/* A long path must not push what is wrong out of the line. */
	size_t length = strlen(subject);
	if (length > SUBJECT_MAX) {
		fputs("...", stderr);
		subject += length - SUBJECT_MAX;
	}
	print_masked(subject);
	fputs(": ", stderr);
	print_masked(text);
	if (errnum > 0)
		fprintf(stderr, ": %s", strerror(errnum));
	fputc('\n', stderr);
	_exit(status);
}

void refuse(const char *subject, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	complain(EXIT_REFUSED, subject, 0, fmt, args);
}

void fail(const char *subject, int errnum, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	complain(EXIT_SYSTEM, subject, errnum, fmt, args);
}

void progress(struct unpack *u, uint64_t done, uint64_t total)
{
	int percent = total ? (int)(done >= total ? 100 : done * 100 / total) : 0;
	if (u->progress_fd < 0 || percent == u->percent)
		return;
	u->percent = percent;
	if (dprintf(u->progress_fd, "%d %" PRIu64 " %" PRIu64 "\n", percent, done, total) < 0)
		u->progress_fd = -1;
}

/* Only what owners, modes, access lists and file capabilities need; CAP_MKNOD is not among it. */
static void drop_capabilities(void)
{
	const uint64_t keep = 1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID |
			      1ULL << CAP_SETFCAP;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &head, data) < 0)
		fail("capabilities", errno, "cannot be read");
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0)
		fail("capabilities", errno, "cannot be dropped");
}

/*
 * After the chroot nothing may be loaded or executed: glibc would look for its conversion modules in the image.
 * A sanitizer's leak check needs clone and ptrace, so its builds go without.
 */
static void forbid_code(void)
{
	static const int calls[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
		SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(ptrace), SCMP_SYS(socket), SCMP_SYS(mount),
		SCMP_SYS(fsopen), SCMP_SYS(open_tree), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(chroot),
		SCMP_SYS(bpf), SCMP_SYS(io_uring_setup), SCMP_SYS(keyctl), SCMP_SYS(process_vm_writev),
		SCMP_SYS(open_by_handle_at)};
	static const int maps[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(pkey_mprotect)};
	if (VE_SANITIZED)
		return;
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(calls) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, calls[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(maps) && r == 0; i++)
		r = seccomp_rule_add(
			ctx, SCMP_ACT_ERRNO(EPERM), maps[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	if (r == 0)
		r = seccomp_load(ctx);
	if (r < 0)
		fail("seccomp", -r, "cannot be set up");
	seccomp_release(ctx);
}

static void confine(const struct unpack *u)
{
	/* Both are read from files on first use, which must be the host's. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		fail("C.UTF-8", 0, "this locale is missing");
	iconv_t conversion = iconv_open("UTF-8", "UTF-8");
	if (conversion != (iconv_t)-1)
		iconv_close(conversion);
	if (fchdir(u->root) < 0 || chroot(".") < 0 || chdir("/") < 0)
		fail("output folder", errno, "cannot be entered");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail("no_new_privs", errno, "cannot be set");
	drop_capabilities();
	forbid_code();
}

static int is_empty(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int count = 0;
	if (!d)
		fail("output folder", errno, "cannot be read");
	while (readdir(d))
		count++;
	closedir(d);
	return count <= 2;
}

static void usage(void)
{
	fputs("usage: ve-unpack --output DIR|--verify DIR [--report-fd N] SOURCE|MANIFEST|-\n", stderr);
	_exit(EXIT_USAGE);
}

static void report(const struct unpack *u, const char *line)
{
	if (u->progress_fd >= 0 && dprintf(u->progress_fd, "%s\n", line) < 0)
		fail("report", errno, "cannot be written");
}

static void unpack(struct unpack *u, const struct stat *st)
{
	struct walk_result seen;
	struct error e = {0};
	char id[DIGEST_TEXT_SIZE], line[512];
	umask(022); /* of folders that an archive implies without an entry; all else gets its mode set */
	u->digests = digest_table_new();
	if (!u->digests)
		no_memory("/");
	if (S_ISDIR(st->st_mode))
		unpack_folder(u);
	else
		unpack_archive(u, S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0);
	/* A root folder of mktemp's 0700 would shut every user of the VE out. */
	if (fchown(u->root, 0, 0) < 0 || fchmod(u->root, 0755) < 0)
		fail("/", errno, "owner and mode cannot be set");
	int cleared = rootfs_clear_machine_id(u->root, &e);
	if (cleared < 0)
		fail("machine-id", e.errnum, "cannot be cleared");
	manifest_write(u->root, u->digests, STDOUT_FILENO, id, &seen);
	if (syncfs(u->root) < 0)
		fail("/", errno, "cannot be written to disk");
	FORMAT(line,
		"{\"id\":\"%s\",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"devices\":%" PRIu64
		",\"sockets\":%" PRIu64 ",\"xattrs\":%" PRIu64 ",\"mounts\":%" PRIu64 ",\"machine_id_cleared\":%s}",
		id, seen.entries, seen.bytes, u->devices, u->sockets, u->xattrs, u->mounts, cleared ? "true" : "false");
	report(u, line);
}

static char *read_manifest(int fd, size_t size, char ret_id[DIGEST_TEXT_SIZE])
{
	struct sha256_ctx sha;
	unsigned char raw[SHA256_DIGEST_SIZE];
	char *text = NULL;
	size_t at = 0;
	if (size >= MANIFEST_MAX)
		fail("manifest", EFBIG, "cannot be read");
	if (!(text = malloc(size + 1)))
		no_memory("manifest");
	for (ssize_t n; at < size; at += (size_t)n)
		if ((n = read(fd, text + at, size - at)) <= 0)
			fail("manifest", n < 0 ? errno : EIO, "cannot be read");
	text[size] = 0;
	sha256_init(&sha);
	sha256_update(&sha, size, (const uint8_t *)text);
	sha_end(&sha, raw);
	digest_text(raw, ret_id);
	return text;
}

static void verify(struct unpack *u, char *manifest, size_t size, const char *id)
{
	struct walk_result seen;
	char line[256];
	uint64_t differences = manifest_verify(u, manifest, size, &seen);
	if (fflush(stdout) != 0)
		fail("stdout", errno, "cannot be written");
	FORMAT(line, "{\"id\":\"%s\",\"entries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"differences\":%" PRIu64 "}", id,
		seen.entries, seen.bytes, differences);
	report(u, line);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'},
		{"verify", required_argument, NULL, 'v'}, {"report-fd", required_argument, NULL, 'r'}, {0}};
	struct unpack u = {.root = -1, .source = -1, .progress_fd = -1, .percent = -1};
	const char *folder = NULL;
	char id[DIGEST_TEXT_SIZE], *manifest = NULL;
	struct stat st;
	int c, is_verify = 0;

	/* Whoever waits for this has died: what was unpacked is of no use. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if ((c == 'o' || c == 'v') && !folder) {
			folder = optarg;
			is_verify = c == 'v';
		} else if (c == 'r') {
			u.progress_fd = atoi(optarg);
		} else {
			usage();
		}
	}
	if (!folder || optind != argc - 1)
		usage();
	const char *source = argv[optind];
	u.root = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (u.root < 0)
		fail(folder, errno, "cannot be opened");
	if (!is_verify && !is_empty(u.root))
		fail(folder, ENOTEMPTY, "must be an empty folder");
	u.source = strcmp(source, "-") ? open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY) : 0;
	if (u.source < 0 || fstat(u.source, &st) < 0)
		fail(source, errno, "cannot be opened");
	if (S_ISCHR(st.st_mode))
		refuse(source, "neither an archive nor a folder");
	if (is_verify)
		manifest = read_manifest(u.source, (size_t)st.st_size, id);

	/* A deep folder needs many fds; where the limit cannot be raised the depth is met with a plain error. */
	struct rlimit nofile;
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0) {
		nofile.rlim_cur = nofile.rlim_max;
		setrlimit(RLIMIT_NOFILE, &nofile);
	}
	confine(&u);
	if (is_verify)
		verify(&u, manifest, (size_t)st.st_size, id);
	else
		unpack(&u, &st);
	_exit(0); /* a sanitizer's leak check wants a /proc, which the chroot has none of */
}
