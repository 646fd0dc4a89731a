/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The control protocol between libve and a running VE's supervisor, on the stream socket /run/vectl/NAME/control.
 * A supervisor outlives upgrades of libve: versioned, length-prefixed, bounded, little-endian, no native structures.
 *
 * A frame is {u32 length of the payload, u8 type, payload}. The client begins with HELLO; the server answers with a
 * HELLO of the version that it speaks, and closes when it cannot speak the client's. After CONSOLE the server's side
 * is the console's raw bytes, the last of what was printed before first; the client's side remains frames.
 * No libc beyond <stdint.h>: static programs share this file.
 */
#ifndef VE_RUN_PROTOCOL_H
#define VE_RUN_PROTOCOL_H

#include <stdint.h>

enum {
	PROTOCOL_VERSION = 1,
	PROTOCOL_HEADER = 5,          /* bytes before the payload */
	PROTOCOL_PAYLOAD_MAX = 4096,  /* longer ones end the connection */
	PROTOCOL_BACKLOG_MAX = 16384, /* console bytes of the past that CONSOLE begins with, at most */
};

enum protocol_frame {
	FRAME_HELLO = 1,   /* both ways: u32 version */
	FRAME_CONSOLE = 2, /* client: no payload */
	FRAME_INPUT = 3,   /* client: bytes typed */
	FRAME_RESIZE = 4,  /* client: u16 rows, u16 columns */
};

static inline void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16(p + 2, (uint16_t)(v >> 16));
}
static inline uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t get_le32(const uint8_t *p)
{
	return get_le16(p) | (uint32_t)get_le16(p + 2) << 16;
}
static inline void put_frame_header(uint8_t *p, uint32_t length, uint8_t type)
{
	put_le32(p, length);
	p[4] = type;
}

#endif
