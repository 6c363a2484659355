# The demo's private surroundings: files, users, secrets. Sourced by demo.sh.

# make_machine leaves us in a directory of its own, with the programs in bin/ and
# first in PATH.
make_machine() {
	mount -t tmpfs -o mode=0755 tmpfs /run
	mkdir -m 0755 /run/demo
	cp -a "$repo/bin" /run/demo/bin
	cp -a /etc /run/demo/etc
	mount --bind /run/demo/etc /etc
	mount -t tmpfs -o mode=0755 tmpfs /home
	mount -t tmpfs -o mode=0755 tmpfs /var/log
	mount -t tmpfs -o mode=0755 tmpfs /var/mail
	mount -t tmpfs -o mode=1777 tmpfs /tmp
	cd /run/demo
	PATH=$PWD/bin:$PATH

	rm -f /etc/nologin
	sed -i '/^bob:/d' /etc/passwd /etc/shadow /etc/group /etc/gshadow # he comes later
	id alice >/dev/null 2>&1 || useradd --create-home --shell /bin/bash alice
	id demo-agent >/dev/null 2>&1 || useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin demo-agent
	getent group demo >/dev/null || groupadd demo
	usermod --append --groups demo alice
	echo 'alice - nofile 4242' >>/etc/security/limits.conf
	echo 'alice:correct horse' | chpasswd
	echo 'correct horse' >right.txt
	echo 'wrong horse' >wrong.txt
	chmod 0600 right.txt wrong.txt

	[ -e /etc/pam.d/sshd ] || cat >/etc/pam.d/sshd <<-END
		@include common-auth
		account  required  pam_nologin.so
		@include common-account
		session  required  pam_loginuid.so
		session  optional  pam_keyinit.so force revoke
		@include common-session
		session  required  pam_limits.so
		session  required  pam_env.so
		@include common-password
	END
}
