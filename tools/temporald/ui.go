package main

import (
	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
)

// startUI serves the web UI in the background. Its library ends the whole process when
// the port cannot be bound, which pickPorts has made unlikely.
func startUI(cfg config, p ports) *uiserver.Server {
	ui := uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		Host:                cfg.Bind,
		Port:                p.ui,
		TemporalGRPCAddress: hostPort(cfg.Bind, p.frontend),
		EnableUI:            true,
		DefaultNamespace:    cfg.Namespace,
		DisableNewsFetch:    true,
		HideLogs:            true,
		// The UI is served without TLS here; its CSRF cookie would be lost otherwise.
		CORS: uiconfig.CORS{CookieInsecure: true},
	}))
	go func() { _ = ui.Start() }()
	return ui
}
