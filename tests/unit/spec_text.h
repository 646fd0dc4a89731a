/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef VE_TEST_SPEC_TEXT_H
#define VE_TEST_SPEC_TEXT_H

#include <criterion/criterion.h>

#include "lib/spec/internal.h"

/* The caller frees it. */
static inline char *write_out(const struct spec *s)
{
	char *text = NULL;
	struct error e = {0};

	cr_assert_eq(spec_write(s, &text, &e), 0);
	return text;
}

#endif
