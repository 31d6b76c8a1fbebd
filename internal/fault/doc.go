// Package fault is the one vocabulary of errors that leave a package of Pawl on their way to a client: a code, a text
// that is safe to show, the field of the input that is to blame if there is one, and the cause, which is for logs only.
//
// A package answers with a constructor:
//
//	return fault.NotFound("workflow %q doesn't exist", file)
//	return fault.Unprocessable("Required").In("Ref")
//	return fault.Wrap(fault.CodeUnavailable, err, "the queue cannot be read at the moment")
//
// and each edge turns any error into its own form by one function: [HTTPStatus] with [From] for REST, [Connect] for
// runners, [Temporal] for activities. The three follow one table, in code.go. An error that nobody gave a code is
// internal: its text never reaches a client.
package fault
