/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest's /etc/resolv.conf. One that the guest wrote itself is left alone; one that came with the image says how
 * the machine was reached on which the image was made, and is replaced. A link to what systemd-resolved makes is left
 * as well, and that service told by a file of its own.
 */
#include <string.h>
#include <sys/stat.h>

#include "cmd/ve-supervisor/supervisor.h"
#include "cmd/ve-supervisor/sys.h"

#define CONF "etc/resolv.conf"

enum { CONF_MAX = 4096, NO_LINKS = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH };

/* Bytes read, 0 for none, -1 for one that is no file, or longer. */
static ssize_t contents(int fd, char b[CONF_MAX])
{
	struct stat st;
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return -1;
	ssize_t n = pread(fd, b, CONF_MAX, 0);
	return n == CONF_MAX ? -1 : n;
}

/* Whether the guest's file is as the image brought it. */
static int of_the_image(const char *text, ssize_t n)
{
	static char b[CONF_MAX];
	int dir = open(MIN_LOWER, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = sys_openat2(dir, CONF, O_RDONLY | O_NONBLOCK, 0, NO_LINKS);
	int same = contents(fd, b) == n && !memcmp(b, text, n);
	close(fd);
	close(dir);
	return same;
}

static int put(int fd, const char *text)
{
	size_t n = strlen(text);
	TRY("/" CONF, ftruncate(fd, 0));
	TRY("/" CONF, pwrite(fd, text, n, 0) == (ssize_t)n ? 0 : -1);
	return 0;
}

/* "nameserver A", "search D": as resolved.conf(5) has them. A fresh /run: nobody of the guest's was there before. */
static int tell_resolved(int run, const char *text)
{
	static char b[CONF_MAX], line[CONF_MAX];
	struct text t = {b, b + sizeof b};
	static const struct {
		const char *from, *to;
	} word[] = {{"nameserver ", "DNS="}, {"search ", "Domains="}};
	text_add(&t, "[Resolve]\n");
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		for (size_t i = 0; i < sizeof word / sizeof *word; i++) {
			size_t skip = strlen(word[i].from), n = strcspn(p, "\n");
			if (n >= sizeof line || n < skip || memcmp(p, word[i].from, skip))
				continue;
			memcpy(line, p + skip, n - skip);
			line[n - skip] = 0;
			text_add(&t, word[i].to);
			text_add(&t, line);
			text_add(&t, "\n");
		}
	return run_file(run, "systemd/resolved.conf.d/vectl.conf", b);
}

int resolver(const struct wire_step *s, int root, int run)
{
	static char b[CONF_MAX];
	const char *text = wire_string(plan, s, 1);
	step_subject = "/" CONF;
	int at = sys_openat2(root, CONF, O_PATH | O_NOFOLLOW, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	struct stat st = {0};
	if (at >= 0 && fstat(at, &st))
		return -errno;
	if (at >= 0 && S_ISLNK(st.st_mode))
		return tell_resolved(run, text);
	if (at < 0 && errno != ENOENT)
		return -errno;
	int fd = at < 0 ? sys_openat2(
				  root, CONF, O_RDWR | O_CREAT | O_EXCL, 0644, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
			: sys_openat2(root, CONF, O_RDWR | O_NONBLOCK, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return -errno;
	ssize_t n = contents(fd, b);
	const size_t mark = s->len[0]; /* how one begins that is vectl's */
	int ours = n == 0 || (n > 0 && (size_t)n >= mark && !memcmp(b, wire_string(plan, s, 0), mark));
	if (n < 0 && !s->n[0])
		return -EINVAL;
	if (ours || s->n[0] || of_the_image(b, n))
		return put(fd, text);
	return 0;
}
