package accounts

// Occupy takes one of the places in which hashes are computed, and never gives it back.
func (p *Passwords) Occupy() { p.slots <- struct{}{} }
