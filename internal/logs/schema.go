package logs

import "strings"

// FieldType is the type that a LogEntry's field has in Cloud Logging's API, which decides how it is compared.
type FieldType uint8

// The types of fields. Struct is google.protobuf.Struct (free keys, JSON values), Any a message of a type that is not known
// here (free names, case need not be kept), Map a map of strings.
const (
	StringType FieldType = iota
	Int64Type
	BoolType
	EnumType
	TimestampType
	DurationType
	MessageType
	MapType
	StructType
	AnyType
)

// Field is one field of a LogEntry or of a message in it.
type Field struct {
	// Name is the field's name in the REST API: camelCase.
	Name string
	Type FieldType
	// Repeated says that the field holds an array.
	Repeated bool
	// Number is the field's number on the wire; 0 where it is not known.
	Number int
	// Fields are those of a message.
	Fields []Field

	byName  map[string]*Field
	numbers []*Field // by Number
}

// Field is the field of that name, in any case and as snake_case too, or nil.
func (f *Field) Field(name string) *Field {
	if g := f.byName[name]; g != nil {
		return g
	}
	return f.byName[foldName(name)]
}

// foldName is what two spellings of one proto name have in common: requestUrl, request_url and REQUESTURL.
func foldName(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

// EntrySchema is the LogEntry's own schema: a message whose Fields are the first names of every path. Callers must not
// change it.
func EntrySchema() *Field { return entrySchema }

var entrySchema = index(&Field{Name: "LogEntry", Type: MessageType, Fields: []Field{
	{Name: "logName", Number: 12},
	{Name: "resource", Number: 8, Type: MessageType, Fields: []Field{
		{Name: "type", Number: 1},
		{Name: "labels", Number: 2, Type: MapType},
	}},
	{Name: "protoPayload", Number: 2, Type: AnyType},
	{Name: "textPayload", Number: 3},
	{Name: "jsonPayload", Number: 6, Type: StructType},
	{Name: "timestamp", Number: 9, Type: TimestampType},
	{Name: "receiveTimestamp", Number: 24, Type: TimestampType},
	{Name: "severity", Number: 10, Type: EnumType},
	{Name: "insertId", Number: 4},
	{Name: "httpRequest", Number: 7, Type: MessageType, Fields: []Field{
		{Name: "requestMethod", Number: 1},
		{Name: "requestUrl", Number: 2},
		{Name: "requestSize", Number: 3, Type: Int64Type},
		{Name: "status", Number: 4, Type: Int64Type},
		{Name: "responseSize", Number: 5, Type: Int64Type},
		{Name: "userAgent", Number: 6},
		{Name: "remoteIp", Number: 7},
		{Name: "serverIp", Number: 13},
		{Name: "referer", Number: 8},
		{Name: "latency", Number: 14, Type: DurationType},
		{Name: "cacheLookup", Number: 11, Type: BoolType},
		{Name: "cacheHit", Number: 9, Type: BoolType},
		{Name: "cacheValidatedWithOriginServer", Number: 10, Type: BoolType},
		{Name: "cacheFillBytes", Number: 12, Type: Int64Type},
		{Name: "protocol", Number: 15},
	}},
	{Name: "labels", Number: 11, Type: MapType},
	{Name: "metadata", Number: 25, Type: MessageType, Fields: []Field{
		{Name: "systemLabels", Number: 1, Type: StructType},
		{Name: "userLabels", Number: 2, Type: MapType},
	}},
	{Name: "operation", Number: 15, Type: MessageType, Fields: []Field{
		{Name: "id", Number: 1},
		{Name: "producer", Number: 2},
		{Name: "first", Number: 3, Type: BoolType},
		{Name: "last", Number: 4, Type: BoolType},
	}},
	{Name: "trace", Number: 22},
	{Name: "spanId", Number: 27},
	{Name: "traceSampled", Number: 30, Type: BoolType},
	{Name: "sourceLocation", Number: 23, Type: MessageType, Fields: []Field{
		{Name: "file", Number: 1},
		{Name: "line", Number: 2, Type: Int64Type},
		{Name: "function", Number: 3},
	}},
	{Name: "split", Number: 35, Type: MessageType, Fields: []Field{
		{Name: "uid", Number: 1},
		{Name: "index", Number: 2, Type: Int64Type},
		{Name: "totalSplits", Number: 3, Type: Int64Type},
	}},
	// What the REST API documents beyond the published proto; its inside is left free.
	{Name: "errorGroups", Type: MessageType, Repeated: true, Fields: []Field{{Name: "id"}}},
	{Name: "apphub", Type: AnyType},
	{Name: "apphubDestination", Type: AnyType},
	{Name: "apphubSource", Type: AnyType},
}})

// index fills the names by which a message's fields are found.
func index(f *Field) *Field {
	f.byName = make(map[string]*Field, 2*len(f.Fields))
	for i := range f.Fields {
		g := index(&f.Fields[i])
		f.byName[g.Name] = g
		f.byName[foldName(g.Name)] = g
		if g.Number > 0 {
			if g.Number >= len(f.numbers) {
				f.numbers = append(f.numbers, make([]*Field, g.Number+1-len(f.numbers))...)
			}
			f.numbers[g.Number] = g
		}
	}
	return f
}

// canonical gives the members of a LogEntry, and of the messages in it, their REST names where a writer used the proto's
// snake_case. What is not known keeps its name. Where both spellings are there, the REST one counts.
func (f *Field) canonical(v *Value) {
	if v.Kind == Array {
		for i := range v.Items {
			f.canonical(&v.Items[i])
		}
		return
	}
	if v.Kind != Object || f.Type != MessageType {
		return
	}
	for i := range v.Members {
		m := &v.Members[i]
		g := f.byName[m.Name]
		if g == nil && strings.IndexByte(m.Name, '_') >= 0 {
			if g = snake(f, m.Name); g != nil && v.Get(g.Name).Kind == Missing {
				m.Name = g.Name
			}
		}
		if g != nil && g.Type == MessageType {
			g.canonical(&m.Value)
		}
	}
}

// snake is the field whose proto name is name, or nil.
func snake(f *Field, name string) *Field {
	if strings.ToLower(name) != name {
		return nil
	}
	g := f.byName[foldName(name)]
	if g == nil || SnakeCase(g.Name) != name {
		return nil
	}
	return g
}

// SnakeCase turns requestUrl into request_url: the name of a field as proto's JSON writers may spell it.
func SnakeCase(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
