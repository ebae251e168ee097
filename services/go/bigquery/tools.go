//go:build tools

// Package tools pins the BigQuery emulator: `go install ...@version` refuses the module, a main module that requires it works.
package tools

import _ "github.com/goccy/bigquery-emulator/cmd/bigquery-emulator"
