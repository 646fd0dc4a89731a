/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The console log's file format, between the server that writes it and libve that reads it. */
#ifndef VE_PLAN_CONSOLE_LOG_H
#define VE_PLAN_CONSOLE_LOG_H

#define LOG_MAGIC  "vectl-console "
#define LOG_HEADER 32 /* bytes before the first of the console's */

#endif
