//go:build !cgo

package confine_test

const cgo = false
