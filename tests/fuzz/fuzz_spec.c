/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The readers of JSON and of specs with whatever bytes there are. What is taken must be written and read again as the
 * same; what is refused must say why.
 *
 * With clang -fsanitize=fuzzer (meson setup -Dfuzz=true) this is a libFuzzer target. Built otherwise it is a program:
 * fuzz_spec FOLDER [ROUNDS [SEED]]: each file of the folder, and then that many of them with bytes changed, the same
 * ones each time.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/spec/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: NDEBUG may not take it away. */
static void must(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz_spec: %s\n", what);
	abort();
}

static void read_spec(const char *text, size_t size, unsigned allow)
{
	cleanup_spec struct spec *s = NULL, *again = NULL;
	cleanup_free char *first = NULL, *second = NULL;
	struct error e = {0};
	int r = spec_parse_allow(text, size, "input", allow, &s, &e);

	must(r <= 0, "a positive result");
	must((r < 0) == (s == NULL), "output and result disagree");
	if (r < 0) {
		must(e.code && *e.wrong && *e.tried, "refused without a word");
		must(json_is_utf8(e.wrong, strlen(e.wrong)) || !json_is_utf8(text, size),
			"a message that is not UTF-8");
		return;
	}
	must(spec_write(s, &first, &e) == 0, "what was read cannot be written");
	must(spec_parse_allow(first, strlen(first), "again", allow, &again, &e) == 0,
		"what was written cannot be read");
	must(spec_write(again, &second, &e) == 0 && !strcmp(first, second), "written twice, and not the same");
	spec_check(s, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = malloc(size + 1);

	must(text != NULL, "memory is out");
	memcpy(text, data, size);
	text[size] = '\0';
	{
		cleanup_json struct json *root = NULL;
		struct error e = {0};
		int r = json_parse(text, size, "input", "read", &root, &e);

		must((r < 0) == (root == NULL), "output and result of json_parse disagree");
		must(r == 0 || e.code, "JSON refused without a word");
	}
	read_spec(text, size, SPEC_READONLY);
	read_spec(text, size, SPEC_READONLY | SPEC_UNSUPPORTED);
	return 0;
}

#ifndef FUZZ_ENGINE
struct input {
	char *text;
	size_t size;
};

static uint64_t state;
static uint32_t next_random(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

/* One of: a byte changed, put in, taken out; a piece of another input put in; cut short. */
static size_t change(char *text, size_t size, size_t room, const struct input *other)
{
	static const char bytes[] = "{}[]\",:.*0123456789-+eE\\u/ \n\t\x00\x1f\x7f\xc2\xff";
	size_t at = size ? next_random() % size : 0, n, from;

	switch (next_random() % 5) {
	case 0:
		if (size)
			text[at] = bytes[next_random() % (sizeof(bytes) - 1)];
		return size;
	case 1:
		if (size + 1 > room)
			return size;
		memmove(text + at + 1, text + at, size - at);
		text[at] = bytes[next_random() % (sizeof(bytes) - 1)];
		return size + 1;
	case 2:
		n = size ? 1 + next_random() % (size - at) : 0;
		memmove(text + at, text + at + n, size - at - n);
		return size - n;
	case 3:
		from = other->size ? next_random() % other->size : 0;
		n = other->size ? 1 + next_random() % (other->size - from) : 0;
		if (size + n > room)
			return size;
		memmove(text + at + n, text + at, size - at);
		memcpy(text + at, other->text + from, n);
		return size + n;
	default:
		return at;
	}
}

int main(int argc, char **argv)
{
	DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
	long rounds = argc > 2 ? atol(argv[2]) : 0;
	struct input *inputs = NULL;
	struct dirent *entry;
	size_t n = 0;

	if (!d) {
		fputs("usage: fuzz_spec FOLDER [ROUNDS [SEED]]\n", stderr);
		return 2;
	}
	state = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	while ((entry = readdir(d))) {
		struct input *grown;

		if (entry->d_name[0] == '.')
			continue;
		grown = realloc(inputs, (n + 1) * sizeof(*inputs));
		must(grown != NULL, "memory is out");
		inputs = grown;
		if (read_file_at(dirfd(d), entry->d_name, JSON_MAX_BYTES, &inputs[n].text, &inputs[n].size) < 0)
			continue;
		LLVMFuzzerTestOneInput((const uint8_t *)inputs[n].text, inputs[n].size);
		n++;
	}
	closedir(d);
	must(n > 0, "the folder is empty");
	for (long i = 0; i < rounds; i++) {
		char text[1 << 15];
		const struct input *one = &inputs[next_random() % n];
		size_t size = one->size < sizeof(text) ? one->size : sizeof(text);

		memcpy(text, one->text, size);
		for (unsigned k = 1 + next_random() % 4; k > 0; k--)
			size = change(text, size, sizeof(text), &inputs[next_random() % n]);
		LLVMFuzzerTestOneInput((const uint8_t *)text, size);
	}
	printf("%zu inputs, %ld changed ones\n", n, rounds);
	while (n-- > 0)
		free(inputs[n].text);
	free(inputs);
	return 0;
}
#endif
