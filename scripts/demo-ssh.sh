# The demo's SSH service: what Teleport's guide to PAM describes, from the files that
# an administrator writes to a login with Debian's ssh. Sourced by demo.sh.

show_ssh() {
	title "an SSH service: its configuration, as in a teleport.yaml, and its PAM service"
	make_keys
	write_configuration
	run 0 'external.email' cat /etc/pamhelper/agent.yaml
	run 0 pam_oath cat /etc/pam.d/teleport
	run 0 useradd cat /etc/pam-exec.d/teleport_acct
	run 0 EMAIL cat /etc/pam-exec.d/note_login

	title "what is wrong with it, and which policy the helper needs for it"
	run 0 '^0 errors, 1 warning' setpriv --reuid demo-agent --regid demo-agent --clear-groups bin/agent check
	write_policy
	run 0 ': ok, 1 service' pamhelper policy check

	title "the broker starts the agent, which listens"
	start_node

	title "who logs in has a certificate with Teleport's extensions; bob is nobody here yet"
	run 0 'Signed user key' ssh-keygen -s user_ca -I bob@example.com -n bob -V +1h \
		-O 'extension:teleport-roles={"version":"v1","roles":["developer","access"]}' \
		-O 'extension:teleport-traits={"email":["bob@mail.example.com"]}' bob.pub
	run 1 'no such user' id bob

	title "bob logs in, with a one-time code behind the certificate"
	on_terminal 7 '^WARNING: All activity on this node is being recorded' first_login "ssh -F ssh_config bob@node"
	expect 0 0 '^uid=[0-9]+\(bob\) .*\(developer\)'
	expect 0 0 '^2048$'

	title "pamhelper sessions while he was there; and now that he has gone"
	run 0 '^[0-9a-f]+ +live +bob +teleport +127.0.0.1 ' cat sessions.txt
	wait_for no_sessions
	run 0 'no login is open' pamhelper sessions

	title "what the scripts saw of him: his name in the cluster, his roles, a claim"
	run 0 ':User bob for bob@example.com with roles developer access created by Teleport.:' getent passwd bob
	run 0 '^bob is bob@mail.example.com, roles: developer access, from 127.0.0.1$' cat /var/log/demo-logins

	title "the same certificate with another code"
	on_terminal 255 'Permission denied' wrong_code "ssh -F ssh_config bob@node id"

	title "the log: every step, and who failed"
	run 0 'msg="login failed" .*user=bob' grep -oE 'msg=.* login=.*' node.log
	expect 0 0 'message of the day acknowledged'

	end_node
	! agents || failed "the agent is still there"
}

# make_keys makes the keys of the node, of the cluster's authority and of bob.
make_keys() {
	mkdir -p /etc/pamhelper
	ssh-keygen -q -t ed25519 -N '' -C demo -f /etc/pamhelper/ssh_host_ed25519_key
	chown demo-agent: /etc/pamhelper/ssh_host_ed25519_key
	ssh-keygen -q -t ed25519 -N '' -C 'user CA of the demo' -f user_ca
	cp user_ca.pub /etc/pamhelper/user_ca.pub
	ssh-keygen -q -t ed25519 -N '' -C bob -f bob
}

# write_configuration writes the agent's configuration and the PAM service; where
# Teleport's guide has a file or a line, as it is there.
write_configuration() {
	cat >/etc/pamhelper/agent.yaml <<-'END'
		ssh_service:
		  listen_addr: 127.0.0.1:0
		  trusted_user_ca_keys: [/etc/pamhelper/user_ca.pub]
		  pam:
		    enabled: yes
		    service_name: teleport
		    use_pam_auth: yes
		    account_first: yes # bob has to be there before he is asked for a code
		    environment:
		      EMAIL: "{{ external.email }}"
		auth_service:
		  message_of_the_day: "Welcome to the cluster. All activity will be logged."
	END
	cat >/etc/pam.d/teleport <<-'END'
		auth      required   pam_oath.so usersfile=/etc/users.oath window=5 digits=6
		account   required   pam_exec.so /etc/pam-exec.d/teleport_acct
		account   required   pam_exec.so /etc/pam-exec.d/note_login
		session   required   pam_limits.so
		session   required   pam_motd.so
		session   required   pam_permit.so
	END
	mkdir -p /etc/pam-exec.d
	cat >/etc/pam-exec.d/teleport_acct <<-'END'
		#!/bin/sh
		COMMENT="User ${TELEPORT_LOGIN} for ${TELEPORT_USERNAME} with roles ${TELEPORT_ROLES} created by Teleport."
		/bin/id -u "${TELEPORT_LOGIN}" > /dev/null 2>&1 || /sbin/useradd -m -s /bin/bash -c "${COMMENT}" "${TELEPORT_LOGIN}" 2>> /tmp/pam.error
		exit 0
	END
	cat >/etc/pam-exec.d/note_login <<-'END'
		#!/bin/sh
		case " $TELEPORT_ROLES " in
		*" developer "*) /sbin/usermod -aG developer "$TELEPORT_LOGIN" ;;
		esac
		echo "$TELEPORT_LOGIN is $EMAIL, roles: $TELEPORT_ROLES, from $PAM_RHOST" >>/var/log/demo-logins
	END
	chmod 0755 /etc/pam-exec.d/*
	getent group developer >/dev/null || groupadd developer
	echo '@developer - nofile 2048' >>/etc/security/limits.conf
	rm -rf /etc/update-motd.d
	echo 'WARNING: All activity on this node is being recorded' >/etc/motd
	secret=$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')
	echo "HOTP/T30/6 bob - $secret" >/etc/users.oath
	chmod 0600 /etc/users.oath
}

# write_policy takes the policy from what agent check printed.
write_policy() { sed -n '/^service {/,/^}/p' output >/etc/pamhelper/policy.textproto; }

# start_node starts broker and agent. They end when the demo does, however it does.
start_node() {
	echo
	echo "# pamhelper broker --user demo-agent -- $PWD/bin/agent run"
	setpriv --pdeathsig TERM pamhelper broker --user demo-agent -- "$PWD/bin/agent" run >node.log 2>&1 &
	node_pid=$!
	wait_for grep -q msg=listening node.log
	grep -oE 'msg=listening.*' node.log
	port=$(sed -nE 's/.*msg=listening on=127\.0\.0\.1:([0-9]+).*/\1/p' node.log)
	cat >ssh_config <<-END
		Host node
			HostName 127.0.0.1
			Port $port
			IdentityFile $PWD/bob
			CertificateFile $PWD/bob-cert.pub
			IdentitiesOnly yes
			StrictHostKeyChecking yes
			UserKnownHostsFile $PWD/known_hosts
			GlobalKnownHostsFile none
			NumberOfPasswordPrompts 1
	END
	echo "[127.0.0.1]:$port $(cat /etc/pamhelper/ssh_host_ed25519_key.pub)" >known_hosts
}

first_login() {
	shown 'One-time password'
	types "$(oathtool --totp "$secret")"
	shown 'Type "yes" to acknowledge'
	types yes
	shown '\$ $'
	pamhelper sessions >sessions.txt
	types 'id'
	shown '\$ $'
	types 'ulimit -n'
	shown '\$ $'
	types 'exit 7'
}

wrong_code() {
	shown 'One-time password'
	types 000000
}

no_sessions() { pamhelper sessions | grep 'no login is open'; }

# show_log shows the node's log where the demo has failed.
show_log() {
	[ $? = 0 ] || [ ! -e node.log ] || cat node.log >&2
}

node_pid=

end_node() {
	[ -n "$node_pid" ] || return 0
	kill "$node_pid" && wait "$node_pid"
	node_pid=
} 2>/dev/null
