package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// endpoints is what the ready file tells; a part that is switched off is empty.
type endpoints struct {
	GRPCAddress string `json:"grpc_address"`
	UIURL       string `json:"ui_url"`
	MetricsURL  string `json:"metrics_url"`
	Namespace   string `json:"namespace"`
}

// writeReadyFile replaces path in one step, so that a reader sees all or nothing.
func writeReadyFile(path string, e endpoints) error {
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return fmt.Errorf("encode ready file: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write ready file: %w", err)
	}
	_, err = tmp.Write(append(data, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return fmt.Errorf("write ready file: %w", err)
	}
	return nil
}
