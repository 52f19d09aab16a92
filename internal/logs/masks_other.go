//go:build !amd64

package logs

func blockMasks(raw []byte, quotes, slashes []uint64) (wide uint64) {
	return masksAnywhere(raw, quotes, slashes)
}
