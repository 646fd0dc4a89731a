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

/*
 * Without a user namespace what is left are capabilities over the host. The list above is what matters most then; these
 * are harmless in a user namespace, and no guest's init needs them. CAP_SYS_BOOT stays: in a pid namespace reboot(2)
 * ends its init and nothing else. CAP_SYS_ADMIN stays, or there would be no system to run: it is why a hostile root in
 * a privileged VE is not contained.
 */
static const struct {
	int capability;
	const char *why;
} withheld_privileged[] = {
	{CAP_DAC_READ_SEARCH, "open_by_handle_at() opens any file of the file system that the VE's disk lies on"},
	{CAP_LINUX_IMMUTABLE, "files of the VE's disk that `destroy` could not remove"},
};

static uint64_t bit(int capability)
{
	return UINT64_C(1) << capability;
}

/* Capabilities that a newer kernel adds are not among them until this was built against it. */
uint64_t confine_default_caps(int privileged)
{
	uint64_t mask = bit(CAP_LAST_CAP + 1) - 1;

	for (size_t i = 0; i < ARRAY_SIZE(withheld); i++)
		mask &= ~bit(withheld[i].capability);
	for (size_t i = 0; privileged && i < ARRAY_SIZE(withheld_privileged); i++)
		mask &= ~bit(withheld_privileged[i].capability);
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

uint64_t confine_caps(const char *const *keep, const char *const *drop, int privileged)
{
	return (confine_default_caps(privileged) | mask_of(keep)) & ~mask_of(drop);
}

uint64_t confine_keeper_caps(void)
{
	/* The offsets of a new time namespace are CAP_SYS_TIME's, over the host where there is no user namespace. */
	return confine_default_caps(1) | bit(CAP_SYS_TIME);
}

const char *const confine_privileged_losses[] = {
	"root inside is root of the host for the kernel: a hostile root in this VE is not contained",
	"users inside are the host's own: files and processes of uid 1000 here and there belong to the same user",
	"the kernel's limits for each user (inotify, keys, pending signals) are shared with the host's root",
	"devices, capabilities, system calls and /proc/sys are limited; the last of these limits root inside can undo",
	"what is mounted read-only (mount.M.options=ro) root inside can make writable",
	NULL,
};
