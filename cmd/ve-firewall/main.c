/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ve-firewall TABLE COMMENT RUN nat|plain IPV4|- IPV6|- PREFIX: makes the tables of a root's firewall, or replaces
 * those of another version, with the elements of all VEs that have a record below RUN, in one transaction. IPV4 and
 * IPV6 are the addresses of vectl's own bridge with the lengths of their networks, PREFIX what names of VEs' links
 * begin with. Run by libve when the tables are not there, so that no start loads libnftables. What is wrong is said on
 * fd 3, a line.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/net/elements.h"
#include "lib/net/firewall.h"

enum { RECORD_LIMIT = 1 << 20, ANSWERS_FD = 3 };

static const char ruleset[] =
#include "ruleset.inc"
	;

static int fail(const char *what)
{
	dprintf(ANSWERS_FD, "%.200s\n", what);
	return 1;
}

/* ---- the rules */

struct network {
	char address[INET6_ADDRSTRLEN], network[INET6_ADDRSTRLEN + 4];
};

static int read_network(const char *text, int family, struct network *ret)
{
	unsigned char byte[16];
	char alone[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	const unsigned bits = family == AF_INET ? 32 : 128;
	memset(ret, 0, sizeof *ret);
	if (!strcmp(text, "-"))
		return 0;
	const unsigned prefix = slash ? (unsigned)atoi(slash + 1) : bits;
	if (FORMAT(alone, "%.*s", (int)strcspn(text, "/"), text) < 0 || inet_pton(family, alone, byte) != 1 ||
		prefix > bits)
		return -EINVAL;
	snprintf(ret->address, sizeof ret->address, "%s", alone);
	for (unsigned bit = prefix; bit < bits; bit++)
		byte[bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
	if (!inet_ntop(family, byte, alone, sizeof alone))
		return -EINVAL;
	return FORMAT(ret->network, "%s/%u", alone, prefix) < 0 ? -EINVAL : 0;
}

static void write_elements(FILE *f, const char *element)
{
	if (*element)
		fprintf(f, "elements = { %s }", element);
}

static void write_rules(FILE *f, char **argv, const struct network *n4, const struct network *n6)
{
	static const char *const families[] = {"bridge", "inet", "arp"};
	const char *table = argv[1];
	const int nat = !strcmp(argv[4], "nat");
	/* Whether it was there or not, it is gone then. */
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		fprintf(f, "table %s %s\ndelete table %s %s\n", families[i], table, families[i], table);
	for (const char *at = ruleset; *at;) {
		size_t plain = strcspn(at, "@");
		fwrite(at, 1, plain, f);
		at += plain;
		if (!strncmp(at, "@TABLE@", 7))
			fputs(table, f);
		else if (!strncmp(at, "@COMMENT@", 9))
			fputs(argv[2], f);
		else if (!strncmp(at, "@PREFIX@", 8))
			fputs(argv[7], f);
		else if (!strncmp(at, "@NEAR4@", 7))
			write_elements(f, n4->address);
		else if (!strncmp(at, "@NEAR6@", 7))
			write_elements(f, n6->address);
		else if (!strncmp(at, "@POOL4@", 7))
			write_elements(f, nat ? n4->network : "");
		else if (!strncmp(at, "@POOL6@", 7))
			write_elements(f, nat ? n6->network : "");
		else if (*at) {
			fputc(*at++, f); /* a set's name */
			continue;
		}
		if (*at)
			at += strcspn(at + 1, "@") + 2;
	}
}

/* ---- the elements */

struct list {
	struct element *element;
	size_t n, size;
};

static int on_element(void *arg, const struct element *element)
{
	struct list *l = arg;
	if (l->n == l->size) {
		size_t size = l->size ? 2 * l->size : 1024;
		struct element *more = realloc(l->element, size * sizeof *more);
		if (!more)
			return -ENOMEM;
		l->element = more;
		l->size = size;
	}
	l->element[l->n++] = *element;
	return 0;
}

static int read_record(const char *run, const char *name, struct list *l)
{
	char path[PATH_MAX];
	cleanup_free char *text = NULL;
	cleanup_free struct net_interface *i = NULL;
	size_t size;
	if (FORMAT(path, "%s/%s/" FIREWALL_RECORD, run, name) < 0)
		return 0;
	int r = read_file_at(AT_FDCWD, path, RECORD_LIMIT, &text, &size);
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	int n = firewall_parse(text, &i);
	if (n == -EBADMSG)
		return 0; /* nothing of that VE's passes then */
	for (int k = 0; k < n; k++)
		if ((r = elements_of(&i[k], on_element, l)))
			return r;
	return n < 0 ? n : 0;
}

static int read_records(const char *run, struct list *l, char *bad, size_t size)
{
	DIR *d = opendir(run);
	int r = 0;
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	for (const struct dirent *entry; !r && (entry = readdir(d));) {
		if (entry->d_name[0] == '.')
			continue;
		r = read_record(run, entry->d_name, l);
		if (r)
			snprintf(bad, size, "%s/%s/" FIREWALL_RECORD ": %s", run, entry->d_name, strerror(-r));
	}
	closedir(d);
	return r;
}

static int by_key(const void *a, const void *b)
{
	const struct element *x = a, *y = b;
	int r = x->family - y->family;
	if (!r)
		r = strcmp(x->set, y->set);
	return r ? r : memcmp(x->key, y->key, sizeof x->key);
}

static const char *family_name(int family)
{
	return family == ELEMENT_BRIDGE ? "bridge" : family == ELEMENT_INET ? "inet" : "arp";
}

/* A statement for each set. Of two elements of one key the first is taken: one of the two is of a VE that has ended. */
static void write_sets(FILE *f, const char *table, struct list *l)
{
	if (l->n)
		qsort(l->element, l->n, sizeof *l->element, by_key);
	for (size_t k = 0; k < l->n; k++) {
		const struct element *e = &l->element[k], *before = k ? e - 1 : NULL;
		if (before && !by_key(before, e))
			continue;
		if (!before || before->family != e->family || strcmp(before->set, e->set))
			fprintf(f, "%sadd element %s %s %s { ", before ? " }\n" : "", family_name(e->family), table,
				e->set);
		else
			fputs(", ", f);
		element_write(e, f);
	}
	if (l->n)
		fputs(" }\n", f);
}

/* nft's own words: the first line says it, after a place in a text that nobody sees. */
static int load(const char *text)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!ctx)
		return fail("no memory");
	nft_ctx_buffer_error(ctx);
	nft_ctx_buffer_output(ctx);
	int r = nft_run_cmd_from_buffer(ctx, text), said = 0;
	if (r) {
		char line[256] = "";
		const char *words = strstr(nft_ctx_get_error_buffer(ctx), "Error: ");
		if (words)
			snprintf(line, sizeof line, "%.*s", (int)strcspn(words + 7, "\n"), words + 7);
		said = fail(*line ? line : "the kernel refused the rules");
	}
	nft_ctx_free(ctx);
	return said;
}

int main(int argc, char **argv)
{
	struct network n4, n6;
	cleanup_free char *text = NULL;
	struct list l = {0};
	char bad[256] = "";
	size_t size;

	if (argc != 8 || read_network(argv[5], AF_INET, &n4) || read_network(argv[6], AF_INET6, &n6))
		return fail("ve-firewall is run by libve");
	FILE *f = open_memstream(&text, &size);
	if (!f)
		return fail("no memory");
	int r = read_records(argv[3], &l, bad, sizeof bad);
	if (!r) {
		write_rules(f, argv, &n4, &n6);
		write_sets(f, argv[1], &l);
	}
	free(l.element);
	if (fclose(f) && !r)
		r = -ENOMEM;
	if (r)
		return fail(*bad ? bad : strerror(-r));
	return load(text);
}
