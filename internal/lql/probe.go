package lql

import (
	"encoding/binary"
	"unsafe"
)

// find appends the hits in data[from:to] in the order of their probes. Bytes behind to may be looked at.
func (g *grams) find(data []byte, from, to int, hits []hit) []hit {
	p := from
	if last := min(to, len(data)-7); last-from > 4*g.stride {
		switch {
		case g.few != nil && g.width == 4:
			p, hits = g.probeShort(data, from, to, last, hits)
		case g.few != nil:
			p, hits = g.probeFew(data, from, to, last, hits)
		default:
			p, hits = g.probeMany(data, from, to, last, hits)
		}
	}
	for ; p < to; p += g.stride {
		hits = g.verify(data, p, from, to, hits)
	}
	return hits
}

// The probes take most of the time that a set takes. So they are written out four at a time, they do not check the bounds of
// each load (the loop's condition does: the last of the four ends within data), and there is one loop for each kind of table.

func load8(base unsafe.Pointer, at int) uint64 {
	return binary.LittleEndian.Uint64(unsafe.Slice((*byte)(unsafe.Add(base, at)), 8))
}

func load4(base unsafe.Pointer, at int) uint64 {
	return uint64(binary.LittleEndian.Uint32(unsafe.Slice((*byte)(unsafe.Add(base, at)), 4)) | caseBits&0xffffffff)
}

// probeShort probes for grams of four bytes; it returns where it stopped, short of last.
func (g *grams) probeShort(data []byte, from, to, last int, hits []hit) (int, []hit) {
	base := unsafe.Pointer(unsafe.SliceData(data))
	stride, known := g.stride, g.few
	p := from
	for ; p < last-3*stride; p += 4 * stride {
		k0 := known[load4(base, p)*gramFactor>>(64-fewBits)]
		k1 := known[load4(base, p+stride)*gramFactor>>(64-fewBits)]
		k2 := known[load4(base, p+2*stride)*gramFactor>>(64-fewBits)]
		k3 := known[load4(base, p+3*stride)*gramFactor>>(64-fewBits)]
		if k0|k1|k2|k3 == 0 {
			continue
		}
		hits = g.four(data, p, from, to, hits, k0, k1, k2, k3)
	}
	return p, hits
}

// probeFew is probeShort for longer grams.
func (g *grams) probeFew(data []byte, from, to, last int, hits []hit) (int, []hit) {
	base := unsafe.Pointer(unsafe.SliceData(data))
	stride, known, mask, fold := g.stride, g.few, g.mask, g.mask&caseBits
	p := from
	for ; p < last-3*stride; p += 4 * stride {
		k0 := known[(load8(base, p)&mask|fold)*gramFactor>>(64-fewBits)]
		k1 := known[(load8(base, p+stride)&mask|fold)*gramFactor>>(64-fewBits)]
		k2 := known[(load8(base, p+2*stride)&mask|fold)*gramFactor>>(64-fewBits)]
		k3 := known[(load8(base, p+3*stride)&mask|fold)*gramFactor>>(64-fewBits)]
		if k0|k1|k2|k3 == 0 {
			continue
		}
		hits = g.four(data, p, from, to, hits, k0, k1, k2, k3)
	}
	return p, hits
}

// probeMany is probeFew for many needles.
func (g *grams) probeMany(data []byte, from, to, last int, hits []hit) (int, []hit) {
	base := unsafe.Pointer(unsafe.SliceData(data))
	const word, one, other = 64 - manyBits + 6, 64 - manyBits, 64 - manyBits - 6
	stride, known, mask, fold := g.stride, g.many, g.mask, g.mask&caseBits
	p := from
	for ; p < last-3*stride; p += 4 * stride {
		h0 := (load8(base, p)&mask | fold) * gramFactor
		h1 := (load8(base, p+stride)&mask | fold) * gramFactor
		h2 := (load8(base, p+2*stride)&mask | fold) * gramFactor
		h3 := (load8(base, p+3*stride)&mask | fold) * gramFactor
		w0, w1, w2, w3 := known[h0>>word], known[h1>>word], known[h2>>word], known[h3>>word]
		k0, k1 := w0>>(h0>>one&63)&(w0>>(h0>>other&63))&1, w1>>(h1>>one&63)&(w1>>(h1>>other&63))&1
		k2, k3 := w2>>(h2>>one&63)&(w2>>(h2>>other&63))&1, w3>>(h3>>one&63)&(w3>>(h3>>other&63))&1
		if k0|k1|k2|k3 == 0 {
			continue
		}
		hits = g.four(data, p, from, to, hits, byte(k0), byte(k1), byte(k2), byte(k3))
	}
	return p, hits
}

// four looks again at those of four probes that found something.
func (g *grams) four(data []byte, p, from, to int, hits []hit, k0, k1, k2, k3 byte) []hit {
	if k0 != 0 {
		hits = g.verify(data, p, from, to, hits)
	}
	if k1 != 0 {
		hits = g.verify(data, p+g.stride, from, to, hits)
	}
	if k2 != 0 {
		hits = g.verify(data, p+2*g.stride, from, to, hits)
	}
	if k3 != 0 {
		hits = g.verify(data, p+3*g.stride, from, to, hits)
	}
	return hits
}

// lineStart is where the line that holds data[at] begins, not before from.
func lineStart(data []byte, from, at int) int {
	for ; at-8 >= from; at -= 8 {
		const each, tops = 0x0101010101010101, 0x8080808080808080
		x := binary.LittleEndian.Uint64(data[at-8:]) ^ '\n'*each
		if (x-each)&^x&tops != 0 {
			break
		}
	}
	for at > from && data[at-1] != '\n' {
		at--
	}
	return at
}
