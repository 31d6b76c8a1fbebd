// Package logchunk is the form in which log rows are stored: text as it is downloaded, one line for each row with
// its time in front, compressed with zstd in chunks that can be read one by one. It is pure; package db stores the
// chunks, the runner gateway writes them, the API server reads them.
//
//	2026-11-24T02:15:22.1234567Z the content of the row
package logchunk
