package page

import "fmt"

// The diagram of the pipeline has boxes with links between them. Wide windows show
// it in one row, narrow windows in three rows of alternating direction.

const (
	boxWidth, boxHeight = 112, 74
	gap                 = 30 // the length of a link, also in the style sheet
	margin              = 4
	detour              = 26 // beside the boxes, for direct records
)

// picture is the SVG in one form.
type picture struct {
	Form          string // wide or narrow
	Width, Height int
	Boxes         []box
	Links         []link
	Bypass        string // the path of direct records
	BypassClass   string
	Untapped      string // the path of records without a tap; empty for none
	UntappedClass string
}

// box is a part of the pipeline with its number.
type box struct {
	ID, Name, Value, Note, Class string
	X, Y                         int
}

// link is the line between two boxes, with the direction in which records move.
type link struct {
	ID, Class, Direction string
	X, Y, X2, Y2         int
}

// part is a box without a position, with the rate of the link that leads to it.
type part struct {
	name, value, note, class string
	rate                     float64
}

// paint places the parts in rows of the given number of columns.
func paint(form string, parts []part, columns int, direct float64) picture {
	rows := (len(parts) + columns - 1) / columns
	pic := picture{Form: form, BypassClass: "bypass " + pace(direct)}
	top, right := margin, margin
	if rows == 1 {
		top += detour
	} else {
		right += detour
	}
	pic.Width = margin + columns*(boxWidth+gap) - gap + right
	pic.Height = top + rows*(boxHeight+gap) - gap + margin
	for i, p := range parts {
		row, column := i/columns, i%columns
		if row%2 == 1 {
			column = columns - 1 - column
		}
		b := box{
			ID: form + "-" + p.name, Name: p.name, Value: p.value, Note: p.note, Class: "box " + p.class,
			X: margin + column*(boxWidth+gap), Y: top + row*(boxHeight+gap),
		}
		if i > 0 {
			pic.Links = append(pic.Links, join(pic.Boxes[i-1], b, p.rate))
		}
		pic.Boxes = append(pic.Boxes, b)
	}
	from, to := pic.Boxes[2], pic.Boxes[len(pic.Boxes)-1]
	if rows == 1 {
		pic.Bypass = around(from.X+boxWidth/2, from.Y, to.X+boxWidth/2, to.Y, 0, -(detour - 4))
	} else {
		pic.Bypass = around(from.X+boxWidth, from.Y+boxHeight/2, to.X+boxWidth, to.Y+boxHeight/2, detour-6, 0)
	}
	return pic
}

// passTap adds the path from the drainer to Firehose, for records without a tap: below
// the boxes of one row, or straight down between rows.
func (pic *picture) passTap(rate float64) {
	from, to := pic.Boxes[4], pic.Boxes[7]
	pic.UntappedClass = "bypass " + pace(rate)
	if from.Y == to.Y {
		pic.Height += detour
		pic.Untapped = around(from.X+boxWidth/2, from.Y+boxHeight, to.X+boxWidth/2, to.Y+boxHeight, 0, detour-4)
		return
	}
	pic.Untapped = fmt.Sprintf("M%d %d L%d %d", from.X+boxWidth/2, from.Y+boxHeight, to.X+boxWidth/2, to.Y)
}

func join(a, b box, rate float64) link {
	l := link{ID: "to-" + b.ID, Class: "link " + pace(rate)}
	switch {
	case b.X > a.X:
		l.Direction, l.X, l.Y, l.X2, l.Y2 = "right", a.X+boxWidth, a.Y+boxHeight/2, b.X, b.Y+boxHeight/2
	case b.X < a.X:
		l.Direction, l.X, l.Y, l.X2, l.Y2 = "left", a.X, a.Y+boxHeight/2, b.X+boxWidth, b.Y+boxHeight/2
	default:
		l.Direction, l.X, l.Y, l.X2, l.Y2 = "down", a.X+boxWidth/2, a.Y+boxHeight, b.X+boxWidth/2, b.Y
	}
	return l
}

// around returns the path from one box to another through the detour beside them, at
// a distance of dx or dy.
func around(x, y, x2, y2, dx, dy int) string {
	return fmt.Sprintf("M%d %d L%d %d L%d %d L%d %d", x, y, x+dx, y+dy, x2+dx, y2+dy, x2, y2)
}

// pace returns the class of a link by its rate.
func pace(rate float64) string {
	switch {
	case rate <= 0:
		return "still"
	case rate < 20:
		return "slow"
	default:
		return "fast"
	}
}
