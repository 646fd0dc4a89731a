/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "vectl.h"

static const char start_options[] =
	"  --all                    every VE that is not running\n"
	"  --wait=running|ready     return when init has been exec'd (default), or when the guest is up\n"
	"  --timeout=SEC            of --wait=ready (120); the VE keeps running\n"
	"  --foreground             stay until the VE has stopped; SIGINT and SIGTERM stop it\n"
	"  --console                connect to its console\n";
static const char stop_options[] =
	"  --all                    every VE that runs\n"
	"  --timeout=SEC            how long it may take before it is killed (its stop.timeout)\n"
	"  --force                  kill it at once\n";
static const char list_options[] =
	"  -o, --output=COLUMN,...  of name state ready image addresses memory uptime pid boot labels\n"
	"  --state=STATE            of stopped starting running paused stopping\n"
	"  --label=KEY[=VALUE]      those that carry it\n"
	"  --names                  names and nothing else, one a line\n";

#define NAMES "NAME...|--all"
const struct verb verbs[] = {
	{"create", NULL, "NAME --image IMG [--set KEY=VALUE]... [--config FILE] [--hostname H] [--password] [--start]",
		"make a VE from an image",
		"  --image=IMG              debian/13, busybox, or the path of a tarball or a folder\n"
		"  --set=KEY=VALUE          any key of ve.json(5)\n"
		"  --config=FILE            a ve.json to start from; - is the standard input\n"
		"  --hostname=H             its host name\n"
		"  --password               ask for root's password in the VE\n"
		"  --password-file=FILE     take it from there; - is the standard input\n"
		"  --root-password-hash=H   its hash, as crypt(5) has them\n"
		"  --ssh-key=FILE           a public key that may log in as root\n"
		"  --credential=NAME=FILE   what its services find as a credential\n"
		"  --privileged             without a user namespace, for those who are trusted with the host\n"
		"  --start                  and start it\n"
		"  --wait=running|ready     as of start, and start it\n",
		"vectl create web1 --image debian/13 --hostname web1.example.org --start", verb_create, .takes = "-",
		.spec_is_usage = 1},
	{"start", NULL, NAMES " [--wait=running|ready] [--timeout SEC] [--foreground] [--console]", "boot VEs",
		start_options, "vectl start web1 --wait=ready", verb_start, .takes = "ve:stopped..."},
	{"stop", NULL, NAMES " [--timeout SEC] [--force]", "shut VEs down", stop_options,
		"vectl stop web1 --timeout 20", verb_stop, .takes = "ve:live..."},
	{"restart", NULL, NAMES " [--wait=running|ready] [--timeout SEC] [--force]", "stop and start VEs",
		"  --all                    every VE that runs\n"
		"  --wait=running|ready     as of start\n"
		"  --timeout=SEC            how long stopping may take before it is killed\n"
		"  --force                  kill it at once\n",
		"vectl restart web1 --wait=ready", verb_restart, .takes = "ve..."},
	{"pause", NULL, NAMES, "freeze all processes of VEs", "  --all                    every VE that runs\n",
		"vectl pause web1", verb_pause, .takes = "ve:running..."},
	{"resume", NULL, NAMES, "let paused VEs go on", "  --all                    every VE that is paused\n",
		"vectl resume web1", verb_resume, .takes = "ve:paused..."},
	{"wait", NULL, "NAME --state=STATE [--timeout SEC]", "wait until a VE is in a state",
		"  --state=STATE            of running ready stopped paused\n"
		"  --timeout=SEC            give up then, with exit status 5\n",
		"vectl wait web1 --state=ready --timeout 60", verb_wait},
	{"rename", NULL, "NAME NEW", "give a stopped VE another name", NULL, "vectl rename web1 shop1", verb_rename,
		.takes = "ve -"},
	{"destroy", NULL, "NAME... [--force]", "remove VEs with their disks; asks on a terminal",
		"  --force                  do not ask, and stop them where they run\n", "vectl destroy web1",
		verb_destroy},
	{"attach", "enter", "NAME [--user U] [-- CMD...]",
		"a login shell inside, or CMD, on a terminal of the VE's own",
		"  --user=U                 a user of the VE, by name or number (root)\n", "vectl attach web1",
		verb_attach, .takes = "ve:live", .passes_status = 1},
	{"exec", NULL, "NAME [-t] [--user U] [--env K=V]... [--cwd DIR] [--] CMD...",
		"run one command inside; its exit status is the result",
		"  -t, --tty                on a terminal of the VE's own\n"
		"  --user=U                 a user of the VE, by name or number (root)\n"
		"  --env=KEY=VALUE          one more variable of its environment\n"
		"  --cwd=DIR                where it starts (the user's home)\n",
		"vectl exec web1 -- systemctl is-system-running", verb_exec, .takes = "ve:live", .passes_status = 1},
	{"console", NULL, "NAME", "connect to its console; Ctrl-] Ctrl-] leaves", NULL, "vectl console web1",
		verb_console, .takes = "ve:live"},
	{"list", "ls", "[-o COLUMNS] [--state S] [--label K=V] [--names]", "a row a VE", list_options,
		"vectl list -o name,state,memory --state running", verb_list},
	{"info", NULL, "NAME", "everything of one VE", NULL, "vectl info web1", verb_info},
	{"ps", NULL, "NAME", "its processes, with host and guest pids", NULL, "vectl ps web1", verb_ps,
		.takes = "ve:live"},
	{"logs", NULL, "NAME [-f] [-n N] [-b N] [--since TIME] [--journal]", "what its console printed",
		"  -f, --follow             and what it prints from now on\n"
		"  -n, --lines=N            the last N lines\n"
		"  -b, --boot=N             of one boot: 0 the last, -1 the one before, 1 the first that is kept\n"
		"      --since=TIME         of boots that began since; as of events\n"
		"  --journal                the guest's journal instead, from journalctl inside\n",
		"vectl logs web1 -n 50 -f", verb_logs},
	{"stat", NULL, "[NAME...] [-i SEC]", "what VEs use",
		"  -i, --interval=SEC       what CPU use in percent is measured over (0.25)\n", "vectl stat web1 db1",
		verb_stat},
	{"top", NULL, "[NAME...] [-b] [-d SEC] [-n N] [--sort=KEY]", "what VEs use, as it changes",
		"  -b, --batch              print a table an interval, as without a terminal\n"
		"  -d, --delay=SEC          between two frames (2)\n"
		"  -n, --frames=N           leave after N frames\n"
		"      --sort=KEY           cpu, memory, pids, name, time or uptime\n",
		"vectl top --sort memory", verb_top},
	{"events", NULL, "[NAME...] [-f] [-n N] [--since TIME]", "what happened to VEs",
		"  -f, --follow             and what happens from now on (begins with the last 10)\n"
		"  -n, --lines=N            the last N\n"
		"      --since=TIME         10m, 2h, 3d ago; today, 12:00, '2026-01-31 12:00', @SECONDS\n",
		"vectl events web1 --since 2h", verb_events},
	{"plan", NULL, "NAME", "what start would do on this host, without doing it", NULL, "vectl plan web1",
		verb_plan},
	{"get", NULL, "NAME [KEY]", "show its spec, or one key or group of keys of it", NULL,
		"vectl get web1 stop.timeout", verb_get, .takes = "ve set-key", .spec_is_usage = 1},
	{"set", NULL, "NAME KEY=VALUE...", "change its spec; KEY+=VALUE and KEY-=VALUE for lists", NULL,
		"vectl set web1 stop.timeout=30 labels.customer=4711", verb_set, .takes = "ve key=...",
		.spec_is_usage = 1},
	{"unset", NULL, "NAME KEY...", "keys, or groups of keys, back to the default", NULL,
		"vectl unset web1 stop.timeout", verb_unset, .takes = "ve set-key...", .spec_is_usage = 1},
	{"edit", NULL, "NAME", "change its spec in an editor", NULL, "EDITOR=nano vectl edit web1", verb_edit,
		.spec_is_usage = 1},
	{"image", NULL, "list|info|build|import|verify|remove ...", "the image store",
		"  list [--names]           what is there, and how many VEs use it\n"
		"  info NAME|ID             all that is known of one\n"
		"  build NAME               by its template: debian/13, debian/12, busybox\n"
		"  import NAME SOURCE       from a tarball or a folder\n"
		"  verify NAME... [--all]   whether it is still what it was\n"
		"  remove NAME... [--unused]  unless a VE uses it; or what has no name and no VE\n",
		"vectl image import shop/base /srv/base.tar", verb_image},
	{"doctor", NULL, "[--repair [--dry-run]]", "what this host can do, and what a crash left, with remedies",
		"  --repair                 remove what a crash left\n"
		"  --dry-run                with --repair: only say what it would do\n",
		"vectl doctor --repair --dry-run", verb_doctor},
	{"version", NULL, "", "the version", NULL, "vectl version --json", verb_version},
	{"help", NULL, "[COMMAND|KEY|keys]", "this, or how to use one command or key of the spec",
		"  --keys                   all keys for programs: name, type, changes (live, next, fixed, refused), "
		"words\n"
		"  --verbs                  all commands for programs: name, alias, words to complete, options\n",
		"vectl help stop.timeout", verb_help, .takes = "topic"},
	{0},
};

static const struct option main_options[] = {{"version", no_argument, NULL, 'V'}, CLI_OPTIONS, {0}};

const struct verb *cli_find_verb(const char *name)
{
	for (const struct verb *v = verbs; v->name; v++)
		if (!strcmp(name, v->name) || (v->alias && !strcmp(name, v->alias)))
			return v;
	return NULL;
}

/* Edit distance where a swap of neighbours counts one; words of commands are short. */
static int distance(const char *a, const char *b)
{
	enum { MAX = 16 };
	int d[MAX + 1][MAX + 1], m = strlen(a), n = strlen(b);

	if (m > MAX || n > MAX)
		return MAX;
	for (int i = 0; i <= m; i++)
		d[i][0] = i;
	for (int j = 0; j <= n; j++)
		d[0][j] = j;
	for (int i = 1; i <= m; i++)
		for (int j = 1; j <= n; j++) {
			int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	return d[m][n];
}

/* Of the contract, and still to come: no misspellings of what is there. */
static const char *const later_verbs[] = {
	"snapshot", "clone", "export", "import", "reinstall", "rescue", "push", "pull", "passwd", "metrics"};

int cli_unknown_verb(struct cli *cli, const char *word)
{
	const char *nearest = NULL;
	int least = 3; /* further away than that is no misspelling */

	for (size_t i = 0; i < sizeof(later_verbs) / sizeof(later_verbs[0]); i++)
		if (!strcmp(word, later_verbs[i]))
			return cli_usage(cli, NULL, "%s: this version does not carry it out yet", word);
	for (const struct verb *v = verbs; v->name; v++) {
		const char *names[] = {v->name, v->alias};
		for (int i = 0; i < 2; i++) {
			int d = names[i] ? distance(word, names[i]) : least;
			if (d < least && d < (int)strlen(names[i])) {
				least = d;
				nearest = names[i];
			}
		}
	}
	if (nearest)
		return cli_usage(cli, NULL, "%s: no such command; did you mean %s?", word, nearest);
	return cli_usage(cli, NULL, "%s: no such command", word);
}

int verb_version(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {CLI_OPTIONS, {0}};

	/* without a verb this is --version, and the options have been read */
	if (cli->verb && cli_getopt(cli, argc, argv, "", options) != -1)
		return cli->status;
	if (cli->json)
		printf("{\"format\":1,\"version\":\"%s\"}\n", ve_version());
	else
		printf("vectl %s\n", ve_version());
	cli->printed = 1;
	return EXIT_DONE;
}

/* Options before the command. 0: go on at argv[optind]; else the exit status is in cli->status. */
static int parse_globals(struct cli *cli, int argc, char **argv)
{
	for (int c; (c = cli_getopt(cli, argc, argv, "+V", main_options)) != -1;) {
		cli->status = c == 'V' ? verb_version(cli, 1, argv) : cli->status;
		return -1;
	}
	return 0;
}

static int run(struct cli *cli, int argc, char **argv)
{
	if (parse_globals(cli, argc, argv) < 0)
		return cli->status;
	if (optind >= argc) {
		if (cli->json)
			return cli_usage(cli, NULL, "a command is missing");
		cli_print_overview(stderr);
		return EXIT_USAGE;
	}
	argc -= optind;
	argv += optind;
	cli->verb = cli_find_verb(argv[0]);
	if (!cli->verb)
		return cli_unknown_verb(cli, argv[0]);
	optind = 0; /* glibc: begin anew */
	return cli->verb->fn(cli, argc, argv);
}

/* A descriptor that the caller left closed would be taken by the next file opened, and then written to as stdout. */
static int open_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
			return -1;
	return 0;
}

/* A mistake that stands before --json is said as --json wants it, too. */
static int wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		const struct verb *v = cli_find_verb(argv[i]);
		if (v && v->passes_status)
			return 0; /* what follows is somebody else's command line */
		if (!strcmp(argv[i], "--json"))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct cli cli = {.root = getenv("VECTL_ROOT"), .cancel_fd = -1, .json = wants_json(argc, argv)};

	if (open_standard_fds() < 0 || cli_catch_signals(&cli) < 0)
		return EXIT_FAILED;
	return cli_finish(&cli, run(&cli, argc, argv));
}
