package confine

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

var onThisMachine = []uint32{unix.SYS_FSTATAT}
