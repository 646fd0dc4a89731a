/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs of the command share. They see libve through <ve/ve.h> alone. */
#ifndef VECTL_H
#define VECTL_H

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <ve/ve.h>

/* Exit statuses; of several names the worst, which is the one that stands last in exit_order (output.c). */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_VE = 3,
	EXIT_STATE = 4,
	EXIT_TIMEOUT = 5,
	EXIT_OWN_FAILURE = 125, /* of exec and attach, which pass the command's status through */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NO_COMMAND = 127,
	EXIT_INTERRUPTED = 130,
};

struct cli;

/* One row a verb: usage, --help, completion of verbs and the nearest known verb follow from it. */
struct verb {
	const char *name, *alias;                          /* alias or NULL */
	const char *args;                                  /* what follows the name in the usage line */
	const char *summary;                               /* one line for the list of verbs */
	const char *options;                               /* lines for --help, each "  --x=Y  what\n", or NULL */
	const char *example;                               /* or NULL */
	int (*fn)(struct cli *cli, int argc, char **argv); /* argv[0] is the verb; returns the exit status */
	/*
	 * What its words are, for completion, in order: ve (of any state, or ve:stopped, :running, :paused, :live for
	 * not stopped), key= and set-key (one that is set), image, file, topic of help, - for what cannot be completed.
	 * "..." after the last: more of it. NULL: ve where args begins with NAME.
	 */
	const char *takes;
	int spec_is_usage; /* takes words of the spec: a wrong one is wrong usage, not a failure */
	int passes_status; /* exec, attach: failures of its own are 125, 126, 127 (cli_fail and cli_usage know) */
};
extern const struct verb verbs[]; /* ends with a row without a name */
const struct verb *cli_find_verb(const char *name);
int cli_unknown_verb(struct cli *cli, const char *word); /* says so; the exit status */
int cli_help(struct cli *cli, const struct verb *verb);  /* NULL: the overview. The exit status */
void cli_print_overview(FILE *out);

struct cli {
	struct ve_host *host; /* after cli_host */
	const struct verb *verb;
	const char *root;
	int json, quiet, verbose;
	int progress;  /* enum cli_progress_mode: --progress= */
	int colour;    /* enum cli_colour_mode: --color= */
	int cancel_fd; /* readable once SIGINT, SIGTERM or SIGHUP came; given to the library. Read with cli_take_signal
			*/
	int status;    /* what cli_getopt gave up with */
	int several;   /* --json: results are a list even when there is only one (set for NAME... and --all) */
	/* what a --json document will carry; written by cli_finish */
	char **results;
	size_t n_results;
	int printed; /* a document is out already */
};

/* ---- options (options.c)
 *
 * cli_getopt is getopt_long plus the global options (--json --root -q -v --help), which every verb takes after its
 * name as well: put CLI_OPTIONS before the terminating row of the verb's table. It returns like getopt_long; for a
 * wrong option (said already) and for --help (printed already) it returns '?' with cli->status set, so the verb does
 *
 *	for (int c; (c = cli_getopt(cli, argc, argv, "+u:", options)) != -1;)
 *		switch (c) {
 *		case 'u': user = optarg; break;
 *		default: return cli->status;
 *		}
 *
 * Where a command follows (exec NAME [-t] -- CMD): start the short options with '+', loop, take NAME = argv[optind++],
 * loop once more, and argv + optind is the command ("--" has been skipped). Long options without a letter of their own
 * use values from 'A' up that are not in the short options, or above 255.
 */
enum {
	CLI_OPT_JSON = 1000,
	CLI_OPT_ROOT,
	CLI_OPT_QUIET,
	CLI_OPT_VERBOSE,
	CLI_OPT_HELP,
	CLI_OPT_PROGRESS,
	CLI_OPT_COLOUR
};
/* clang-format off */
#define CLI_OPTIONS                                      \
	{"json", no_argument, NULL, CLI_OPT_JSON},       \
	{"root", required_argument, NULL, CLI_OPT_ROOT}, \
	{"quiet", no_argument, NULL, CLI_OPT_QUIET},     \
	{"verbose", no_argument, NULL, CLI_OPT_VERBOSE}, \
	{"help", no_argument, NULL, CLI_OPT_HELP},       \
	{"progress", required_argument, NULL, CLI_OPT_PROGRESS},\
	{"color", required_argument, NULL, CLI_OPT_COLOUR}
/* clang-format on */
int cli_global_option(struct cli *cli, int option, const char *value); /* 1: taken; 0: not one of them; < 0: said */
int cli_getopt(struct cli *cli, int argc, char **argv, const char *letters, const struct option *options);
int cli_seconds_to_ms(const char *text); /* "2", "0.5", "max" (negative: none); INT_MIN when it is not a time */
int cli_timeout(struct cli *cli, const char *text, int *ret_ms); /* of a --timeout option; 0, or the exit status */

/* ---- the host and VEs (output.c). 0, or the exit status with the error said already */
int cli_host(struct cli *cli);
int cli_open_ve(struct cli *cli, const char *name, struct ve **ret); /* with cli_host */
static inline void cli_close_ve(struct ve **ve)
{
	ve_close(*ve);
}
#define cleanup_ve   __attribute__((cleanup(cli_close_ve)))
#define cleanup_text __attribute__((cleanup(cli_free_text)))
static inline void cli_free_text(char **text)
{
	ve_free(*text);
}

/* ---- what is said (output.c) */
/* One more member of the error that --json will print, when the last result was one. */
void cli_add_to_error(struct cli *cli, const char *key, const char *text);
int cli_fail(struct cli *cli); /* the host's last error; returns its exit status. --json: kept for the document */
int cli_fail_and(struct cli *cli, const char *more); /* with more of a remedy */
int cli_usage(struct cli *cli, const char *verb, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* An error of the command itself: a line "vectl: [ve: ]tried: wrong[: remedy]", or the document; returns EXIT_FAILED.
 */
int cli_error(
	struct cli *cli, const char *ve, const char *tried, int errno_value, const char *wrong, const char *remedy);
int cli_worst(int a, int b);
void cli_note(struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));                    /* stderr, not with -q or --json */
int cli_done(struct cli *cli, const char *ve, const char *state); /* --json: {"ve":,"state":}; else silent. EXIT_DONE */
void cli_add_to_result(struct cli *cli, const char *key, const char *json); /* --json: of the last one; else nothing */
void cli_say_lost(struct cli *cli, struct ve *ve);                          /* of a privileged VE: what it is without */
/* --json: the members of a document are kept as a result, for verbs that take several names */
void cli_keep_document(struct cli *cli, const char *json);
/* One document, as libve made it ({"format":1,...}), with a newline; frees nothing. EXIT_DONE */
int cli_print_document(struct cli *cli, const char *json);
int cli_finish(struct cli *cli, int status);       /* main: the kept results, and a full stdout is an error */
void cli_json_string(FILE *out, const char *text); /* quoted and escaped, NULL is null */
void cli_print_text(FILE *out, const char *text);  /* control bytes of what a guest chose never reach a terminal */

/* ---- signals (signals.c) */
int cli_catch_signals(struct cli *cli);
int cli_take_signal(struct cli *cli); /* the next signal that came, 0 for none; cancel_fd is quiet once all are taken */

/* ---- names (names.c): the VEs that a verb is for */
struct names {
	char **list; /* NULL-terminated */
	size_t n;
	char **owned; /* what --all found, to be freed */
};
/*
 * The words from argv[optind] on, or with `all` every VE of the host. Sets cli->several for --all and for more than one
 * name. 0, or the exit status.
 */
int cli_names(struct cli *cli, int argc, char **argv, int all, struct names *ret);
void cli_names_free(struct names *names);
#define cleanup_names __attribute__((cleanup(cli_names_free)))
/* Opens each VE and calls fn; the worst of its results. An interrupt ends it. */
int cli_each(
	struct cli *cli, const struct names *names, int (*fn)(struct cli *cli, struct ve *ve, void *arg), void *arg);
/* Exactly one name, at argv[optind], and after it at least `min` and at most `max` words more. 0, or the exit status.
 */
int cli_one_name(struct cli *cli, int argc, char **argv, int min, int max, const char **ret);

/* ---- progress (progress.c): the library's callback; arg is the cli */
enum cli_progress_mode { PROGRESS_AUTO, PROGRESS_JSON, PROGRESS_NONE };
void cli_progress(void *arg, const struct ve_progress *progress);
void cli_progress_clear(void); /* before anything else is written to the terminal */

/* ---- console (console.c): relays the VE's console until it is detached or ends; an exit status */
int cli_console_relay(struct cli *cli, struct ve *ve);

/* ---- start (start.c), for create --start and restart */
struct start {
	struct ve_start_options options;
	int foreground, console;
	int after_stop; /* it ran, and was stopped for this */
};
int cli_start(struct cli *cli, struct ve *ve, const struct start *start); /* the exit status */
int cli_parse_wait(struct cli *cli, const char *text, int *ret_wait);     /* 0, or the exit status */

/* ---- spec (config.c) */
/*
 * After a change of the spec: what of it waits for the next start of a running VE, and which of `words` (KEY or
 * KEY=VALUE, NULL-terminated, or NULL) is in effect. The exit status.
 */
int cli_changed(struct cli *cli, struct ve *ve, char *const *words);

/* ---- verbs */
int verb_create(struct cli *cli, int argc, char **argv);
int verb_start(struct cli *cli, int argc, char **argv);
int verb_stop(struct cli *cli, int argc, char **argv);
int verb_restart(struct cli *cli, int argc, char **argv);
int verb_pause(struct cli *cli, int argc, char **argv);
int verb_resume(struct cli *cli, int argc, char **argv);
int verb_wait(struct cli *cli, int argc, char **argv);
int verb_rename(struct cli *cli, int argc, char **argv);
int verb_destroy(struct cli *cli, int argc, char **argv);
int verb_list(struct cli *cli, int argc, char **argv);
int verb_info(struct cli *cli, int argc, char **argv);
int verb_ps(struct cli *cli, int argc, char **argv);
int verb_logs(struct cli *cli, int argc, char **argv);
int verb_events(struct cli *cli, int argc, char **argv);
int verb_stat(struct cli *cli, int argc, char **argv);
int verb_top(struct cli *cli, int argc, char **argv);
int verb_plan(struct cli *cli, int argc, char **argv);
int verb_get(struct cli *cli, int argc, char **argv);
int verb_set(struct cli *cli, int argc, char **argv);
int verb_unset(struct cli *cli, int argc, char **argv);
int verb_edit(struct cli *cli, int argc, char **argv);
int verb_attach(struct cli *cli, int argc, char **argv);
int verb_exec(struct cli *cli, int argc, char **argv);
int verb_console(struct cli *cli, int argc, char **argv);
int verb_image(struct cli *cli, int argc, char **argv);
int verb_doctor(struct cli *cli, int argc, char **argv);
int verb_version(struct cli *cli, int argc, char **argv);
int verb_help(struct cli *cli, int argc, char **argv);

#endif
