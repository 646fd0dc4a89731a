/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Init of the measured VEs: says on its console when its first byte went out, by the host's CLOCK_MONOTONIC, then waits
 * for whatever signal its runtime takes for a poweroff. None of the measured runtimes shifts CLOCK_MONOTONIC in a time
 * namespace (vectl shifts CLOCK_BOOTTIME alone); bench.py checks each stamp against its own clock all the same.
 */
#include <signal.h>
#include <time.h>
#include <unistd.h>

static void halt(int signal)
{
	_exit(0);
}

int main(void)
{
	char line[] = "\nfirst 00000000000000000000\n", *p = line + sizeof line - 2;
	struct timespec t;

	/* First: a stop may follow the first byte at once. */
	const int poweroff[] = {SIGPWR, SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGRTMIN + 3, SIGRTMIN + 4};
	for (unsigned i = 0; i < sizeof poweroff / sizeof *poweroff; i++)
		signal(poweroff[i], halt);
	signal(SIGCHLD, SIG_IGN); /* orphans of exec are nobody's else */

	/* The stamp is taken right before the write: how fast a runtime's console is read is no part of the start. */
	clock_gettime(CLOCK_MONOTONIC, &t);
	for (unsigned long long ns = t.tv_sec * 1000000000ULL + t.tv_nsec; ns; ns /= 10)
		*--p = '0' + ns % 10;
	if (write(STDOUT_FILENO, line, sizeof line - 1) < 0)
		return 1;
	for (;;)
		pause();
}
