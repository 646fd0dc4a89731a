/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Colour, for those who see it: on a terminal, unless NO_COLOR, TERM=dumb or --color says otherwise. */
#ifndef VECTL_COLOUR_H
#define VECTL_COLOUR_H

struct cli;

enum cli_colour_mode { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

int colour_wanted(const struct cli *cli); /* on stdout */
/* What begins the colour of a state, an event or a finding; "" for none. COLOUR_END ends it. */
const char *colour_of(const char *word);
#define COLOUR_END "\033[0m"

#endif
