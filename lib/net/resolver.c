/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/net/resolver.h"

#include <fcntl.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/spec/interfaces.h"

static const char tried[] = "find the VE's name servers";

enum { SERVERS_MAX = 16, SEARCH_MAX = 32, WORD_MAX = 254 };

struct resolver {
	char server[SERVERS_MAX][NET_ADDRESS_TEXT];
	char search[SEARCH_MAX][WORD_MAX];
	size_t nservers, nsearch;
	int shares; /* the host's loopback is the guest's */
};

/* A loopback is mostly the guest's own, and a scope names a link of the host's. */
static void add_server(struct resolver *r, const char *word)
{
	struct net_address a;
	if (r->nservers == SERVERS_MAX || strchr(word, '/') || net_address_parse(word, &a))
		return;
	static const unsigned char loopback6[16] = {[15] = 1}, none[16];
	if (r->shares) {
		net_address_text(&a, 0, r->server[r->nservers++]);
		return;
	}
	if (a.family == AF_INET ? a.byte[0] == 127 || a.byte[0] == 0
				: !memcmp(a.byte, loopback6, 16) || !memcmp(a.byte, none, 16))
		return;
	if (a.family == AF_INET6 && net_address_is_link_local(&a))
		return;
	net_address_text(&a, 0, r->server[r->nservers++]);
}

/* As resolv.conf(5) has it: the last of search and domain counts. */
static void read_text(const char *text, struct resolver *r)
{
	char *copy = strdup(text), *lines, *line, *words, *word;
	for (line = copy ? strtok_r(copy, "\n", &lines) : NULL; line; line = strtok_r(NULL, "\n", &lines)) {
		word = strtok_r(line, " \t\r", &words);
		if (!word)
			continue;
		int is_server = !strcmp(word, "nameserver"),
		    is_search = !strcmp(word, "search") || !strcmp(word, "domain");
		if (is_search)
			r->nsearch = 0;
		while ((is_server || is_search) && (word = strtok_r(NULL, " \t\r", &words)) && *word != '#') {
			if (is_server) {
				add_server(r, word);
				break;
			}
			if (r->nsearch < SEARCH_MAX && strlen(word) < WORD_MAX && strcmp(word, "."))
				snprintf(r->search[r->nsearch++], WORD_MAX, "%s", word);
		}
	}
	free(copy);
}

static void from_spec(const char *const *items, char *to, size_t size, size_t max, size_t *n)
{
	for (*n = 0; items && *items && *n < max; items++)
		snprintf(to + size * (*n)++, size, "%s", *items);
}

static int write_out(const struct resolver *r, int own, char **ret_text)
{
	size_t size = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	fprintf(f, NET_RESOLVER_MARK " %s; written at each start, unless this line is gone\n",
		own ? "dns.* of the VE" : "the host's name servers");
	for (size_t i = 0; i < r->nservers; i++)
		fprintf(f, "nameserver %s\n", r->server[i]);
	size_t n = 0;
	for (size_t used = 0; n < r->nsearch && (used += strlen(r->search[n]) + 1) <= NET_RESOLVER_SEARCH; n++)
		fprintf(f, "%s%s", n ? " " : "search ", r->search[n]);
	fputs(n ? "\n" : "", f);
	fputs(n < r->nsearch ? NET_RESOLVER_CUT "\n" : "", f);
	if (fclose(f)) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}

int resolver_text(const char *etc, const char *resolved, const struct spec *s, char **ret_text)
{
	cleanup_free struct resolver *r = calloc(1, sizeof *r);
	const char *const *servers = spec_list(s, "dns.servers"), *const *search = spec_list(s, "dns.search");
	if (!r)
		return -ENOMEM;
	r->shares = !strcmp(spec_string(s, "network"), "host");
	if (!servers && etc)
		read_text(etc, r);
	/* Nothing but a stub: whom that asks in its turn. */
	if (!servers && !r->nservers && resolved)
		read_text(resolved, r);
	if (servers)
		from_spec(servers, r->server[0], sizeof r->server[0], SERVERS_MAX, &r->nservers);
	if (search)
		from_spec(search, r->search[0], sizeof r->search[0], SEARCH_MAX, &r->nsearch);
	if (r->nservers)
		return write_out(r, servers != NULL, ret_text);
	*ret_text = NULL;
	return 0;
}

/* Absent, or no file: there is none. */
static int read_host(const char *path, char **ret, struct error *e)
{
	int r = read_file_at(AT_FDCWD, path, 65536, ret, NULL);
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EIO ? error_sys(e, -r, tried, path) : 0;
}

int net_resolver(struct ve_host *host, const struct spec *s, char **ret_text, struct error *e)
{
	cleanup_free char *etc = NULL, *resolved = NULL;
	int r = read_host("/etc/resolv.conf", &etc, e);
	if (r || (r = read_host("/run/systemd/resolve/resolv.conf", &resolved, e)))
		return r;
	r = resolver_text(etc, resolved, s, ret_text);
	return r < 0 ? error_sys(e, -r, tried, "memory") : 0;
}
