/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filter.h"

enum { GROUND, ESCAPE, INTERMEDIATE, CSI, STRING, STRING_ESCAPE, LEAD_C2 };
enum { ESC = 0x1b, BEL = 0x07 };

static int ground(struct filter *f, unsigned char c, FILE *out)
{
	if (c == ESC)
		return ESCAPE;
	if (c == 0xc2) /* the lead byte of the C1 controls, and of plain letters */
		return LEAD_C2;
	if (c == '\n' || c == '\t' || (c == '\r' && f->mode == FILTER_COLOURS) || (c >= 0x20 && c != 0x7f))
		fputc(c, out);
	return GROUND;
}

static int escape(struct filter *f, unsigned char c)
{
	f->held = 0;
	if (c == '[')
		return CSI;
	if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
		return STRING;
	return c >= 0x20 && c <= 0x2f ? INTERMEDIATE : GROUND;
}

static int csi(struct filter *f, unsigned char c, FILE *out)
{
	int colour = 1;

	if (c == ESC)
		return ESCAPE;
	if (c < 0x20) { /* terminals carry out control bytes in the middle of a sequence */
		ground(f, c, out);
		return CSI;
	}
	if (c < 0x40 || c > 0x7e) {
		if (f->held < sizeof(f->sequence))
			f->sequence[f->held++] = c;
		return CSI;
	}
	for (size_t i = 0; i < f->held; i++)
		colour &= (f->sequence[i] >= '0' && f->sequence[i] <= '9') || f->sequence[i] == ';';
	if (c == 'm' && colour && f->held < sizeof(f->sequence) && f->mode == FILTER_COLOURS)
		fprintf(out, "\033[%.*sm", (int)f->held, f->sequence);
	return GROUND;
}

static int step(struct filter *f, unsigned char c, FILE *out)
{
	switch (f->state) {
	case ESCAPE:
		return c == ESC ? ESCAPE : escape(f, c);
	case INTERMEDIATE:
		return c == ESC ? ESCAPE : c >= 0x20 && c <= 0x2f ? INTERMEDIATE : GROUND;
	case CSI:
		return csi(f, c, out);
	case STRING:
		return c == ESC ? STRING_ESCAPE : c == BEL ? GROUND : STRING;
	case STRING_ESCAPE: /* ESC \ ends a string; another ESC sequence aborts it */
		return c == '\\' ? GROUND : c == ESC ? STRING_ESCAPE : escape(f, c);
	case LEAD_C2:
		if (c >= 0x80 && c <= 0x9f)
			return GROUND;
		fputc(0xc2, out);
		return ground(f, c, out);
	}
	return ground(f, c, out);
}

void filter_write(struct filter *f, const char *data, size_t size, FILE *out)
{
	if (f->mode == FILTER_RAW) {
		fwrite(data, 1, size, out);
		return;
	}
	for (size_t i = 0; i < size; i++)
		f->state = step(f, (unsigned char)data[i], out);
}
