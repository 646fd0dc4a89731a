/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/run/hosts.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/file.h"
#include "lib/base/util.h"

/* What a name server alone of this host needs to know; no other's, and none of the internet's. */
#define DOMAIN "vectl"

static int open_folder(struct ve_host *host, int make)
{
	char path[PATH_MAX];
	FORMAT(path, "%s-hosts", host->run);
	int made = make && !mkdir(path, 0755);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (made && fd >= 0)
		fchmod(fd, 0755); /* mkdir's is cut by the umask */
	return fd;
}

/* What a program would take for this host, or for where its proxy or tunnel is, is left to the domain. */
static int has_meaning(const char *name)
{
	static const char *const meant[] = {"localhost", "broadcasthost", "wpad", "isatap"};
	char own[HOST_NAME_MAX + 1] = "";
	for (size_t k = 0; k < ARRAY_SIZE(meant); k++)
		if (!strcmp(name, meant[k]))
			return 1;
	gethostname(own, sizeof own - 1);
	own[strcspn(own, ".")] = 0;
	return !strncmp(name, "ip6-", 4) || !strcasecmp(name, own);
}

static char *text_of(const char *name, const struct net_interface *i, size_t n)
{
	char *text = NULL, address[NET_ADDRESS_TEXT];
	const int alone = has_meaning(name);
	size_t size;
	FILE *f = open_memstream(&text, &size);
	for (size_t k = 0; f && k < n; k++)
		for (unsigned j = 0; j < i[k].naddresses; j++) {
			if (net_address_is_link_local(&i[k].address[j]))
				continue;
			net_address_text(&i[k].address[j], 0, address);
			fprintf(f, alone ? "%s %s." DOMAIN "\n" : "%s %s." DOMAIN " %s\n", address, name, name);
		}
	if (!f || fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Not synced: it does not outlive the VE, which no VE does a power cut. */
void hosts_write(struct ve *ve, const struct net_interface *i, size_t n)
{
	char temporary[sizeof ve->name + 8];
	cleanup_fd int dir = open_folder(ve->host, 1);
	cleanup_free char *text = text_of(ve->name, i, n);
	FORMAT(temporary, ".new-%s", ve->name);
	if (dir < 0)
		return;
	cleanup_fd int fd =
		text && *text ? openat(dir, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)
			      : -EBADF;
	if (fd >= 0 && write_all(fd, text, strlen(text)) >= 0 && !fchmod(fd, 0644) &&
		!renameat(dir, temporary, dir, ve->name))
		return;
	/* No name rather than addresses that it has no more. */
	unlinkat(dir, temporary, 0);
	unlinkat(dir, ve->name, 0);
}

void hosts_forget(struct ve *ve)
{
	cleanup_fd int dir = open_folder(ve->host, 0);
	char temporary[sizeof ve->name + 8];
	FORMAT(temporary, ".new-%s", ve->name);
	if (dir < 0)
		return;
	unlinkat(dir, ve->name, 0);
	unlinkat(dir, temporary, 0); /* of one that was killed */
}
