package config

import "fmt"

// teleports are keys that a teleport.yaml has and that mean nothing here, by
// section, for a message that says so.
var teleports = map[string][]string{
	"": {
		"version", "teleport", "proxy_service", "kubernetes_service", "app_service", "db_service", "windows_desktop_service",
		"discovery_service", "okta_service", "jamf_service", "debug_service", "metrics_service", "tracing_service",
		"plugin_service", "access_graph", "identity_service", "relay_service", "app_services",
	},
	"ssh_service": {
		"labels", "commands", "public_addr", "permit_user_env", "enhanced_recording", "x11", "ssh_file_copy", "port_forwarding",
		"allow_tcp_forwarding", "disable_create_host_user", "force_listen", "proxy_protocol",
	},
	"auth_service": {
		"enabled", "cluster_name", "authentication", "tokens", "session_recording", "proxy_listener_mode", "listen_addr",
		"public_addr", "proxy_checks_host_keys", "license_file", "disconnect_expired_cert", "client_idle_timeout",
		"client_idle_timeout_message", "routing_strategy", "ca_key_params", "web_idle_timeout", "web_session_timeout",
		"kubeconfig_file", "tunnel_strategy", "access_monitoring", "hosted_plugins", "load_all_cas", "keep_alive_interval",
		"keep_alive_count_max", "cas", "oidc_connectors", "reverse_tunnels", "trusted_clusters", "dynamic_config",
	},
}

// ofTeleport says what to do about such a key.
func ofTeleport(path, key string) string {
	if path == "" {
		return fmt.Sprintf("%s is for Teleport itself; this file takes ssh_service and auth_service over from a teleport.yaml, and nothing else", key)
	}
	return fmt.Sprintf("%s.%s is for Teleport itself and does nothing here; remove it", path, key)
}
