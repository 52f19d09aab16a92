package logs

// masks says where in so many blocks of 64 bytes at p there are quotes and backslashes, a bit for each byte and a word for each block, and
// whether any byte is not ASCII. It is written in assembly, because it looks at every byte of every line that is read: see masksAnywhere for
// what it does.
//
//go:noescape
func masks(p *byte, blocks int, quotes, slashes *uint64) (wide uint64)

// blockMasks is masks of raw, whose length is a multiple of 64.
func blockMasks(raw []byte, quotes, slashes []uint64) (wide uint64) {
	blocks := len(raw) / 64
	if blocks == 0 {
		return 0
	}
	_, _ = quotes[blocks-1], slashes[blocks-1]
	return masks(&raw[0], blocks, &quotes[0], &slashes[0])
}
