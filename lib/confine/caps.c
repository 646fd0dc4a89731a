/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/capability.h>
#include <string.h>
#include <sys/capability.h>

#include "lib/base/util.h"
#include "lib/confine/confine.h"

/*
 * Capabilities here are those over the VE's own user namespace. A system's init keeps what works there; what can only
 * ever be asked of the host is taken away, so that programs which look at their capabilities (systemd's
 * ConditionCapability=) do not try it and fail.
 */
static const struct {
	int capability;
	const char *why;
} withheld[] = {
	{CAP_SYS_MODULE, "systemd-modules-load would try, fail, and leave the guest 'degraded'"},
	{CAP_SYS_RAWIO, "hardware; sys-kernel-debug.mount would try and fail"},
	{CAP_SYS_TIME, "the host's clock: timesyncd and ntpd must not think that it is theirs"},
	{CAP_MAC_ADMIN, "the host's security policy"},
	{CAP_MAC_OVERRIDE, "the host's security policy"},
	{CAP_AUDIT_CONTROL, "the host's audit rules; NETLINK_AUDIT is refused"},
	{CAP_AUDIT_READ, "the host's audit log: systemd-journald-audit.socket must not try to listen"},
	{CAP_SYSLOG, "the host's kernel log, and addresses of its kernel"},
	{CAP_SYS_PACCT, "process accounting of the whole host; acct() is refused"},
	{CAP_WAKE_ALARM, "wakes the host from suspend"},
	{CAP_BLOCK_SUSPEND, "keeps the host from suspend"},
	{CAP_PERFMON, "the host's counters; perf_event_open() is refused"},
	{CAP_BPF, "bpf() is refused"},
};

/* Capabilities that a newer kernel adds are not among them until this was built against it. */
uint64_t confine_default_caps(void)
{
	uint64_t mask = (UINT64_C(1) << (CAP_LAST_CAP + 1)) - 1;

	for (size_t i = 0; i < ARRAY_SIZE(withheld); i++)
		mask &= ~(UINT64_C(1) << withheld[i].capability);
	return mask;
}

static uint64_t mask_of(const char *const *names)
{
	uint64_t mask = 0;

	for (; names && *names; names++) {
		int number = spec_capability(*names);

		if (number >= 0 && number < 64)
			mask |= UINT64_C(1) << number;
	}
	return mask;
}

uint64_t confine_caps(const char *const *keep, const char *const *drop)
{
	return (confine_default_caps() | mask_of(keep)) & ~mask_of(drop);
}
