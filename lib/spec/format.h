/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The forms of strings: what a type of spec_keys leaves open, such as addresses. */
#ifndef VE_SPEC_FORMAT_H
#define VE_SPEC_FORMAT_H

#include <stddef.h>

#include "lib/spec/spec.h"

enum { FORMAT_MAX = 512 }; /* bytes of a canonical text, with the NUL; longer strings have no form but their length */

struct spec_format {
	const char *name;    /* "an IPv4 address with prefix length" */
	const char *form;    /* the remedy: what to write */
	const char *pattern; /* for the JSON Schema (ECMA 262): all that `check` takes matches it */
	/* NULL: it is one, and its canonical text is in `buf`. Else what is wrong; "": just that. */
	const char *(*check)(const char *text, char *buf, size_t size);
	/* Samples for tests and the fuzz corpus, '\n' between. */
	const char *good; /* canonical */
	const char *bad;  /* neither parser nor pattern takes it */
	const char *odd;  /* the pattern takes it, the parser does not; NULL: none */
};

/* What is said of a key beside its row: forms of its value (of a list's items) and of what stands for `*`. */
struct spec_trait {
	const char *key;
	const struct spec_format *value, *name; /* NULL: none */
	const char *example;                    /* a value as `set` takes it, in canonical form */
	const char *example_name;               /* for `*`; NULL: a name fits that fits all */
	const char *example_with;               /* what must be set with it, as words for `set`; NULL: nothing */
};
extern const struct spec_trait spec_traits[];                    /* ends with key NULL */
const struct spec_trait *spec_trait(const struct spec_key *row); /* never NULL; with a key of NULL: nothing is known */

extern const struct spec_format format_arch, format_image, format_cpus, format_interface, format_host_interface,
	format_mac, format_ipv4, format_ipv6, format_address, format_port, format_domain, format_hugepage,
	format_target, format_device, format_file_mode, format_access, format_filesystem, format_mount_option,
	format_capability, format_sysctl, format_seccomp, format_apparmor;

#endif
