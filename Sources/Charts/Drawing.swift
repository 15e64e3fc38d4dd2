/// A picture as a list of shapes on white, each painted over those before it. Lengths are in points, which
/// are a browser's pixels; the origin is the top left corner, and y grows downwards.
struct Drawing: Hashable {
    struct Point: Hashable {
        var x: Double
        var y: Double
    }

    struct Rectangle: Hashable {
        var left: Double
        var top: Double
        var right: Double
        var bottom: Double

        var width: Double { right - left }
        var height: Double { bottom - top }
    }

    /// An opaque sRGB colour.
    struct Colour: Hashable {
        let red: UInt8
        let green: UInt8
        let blue: UInt8

        /// 0xRRGGBB.
        init(_ hexadecimal: UInt32) {
            red = UInt8(truncatingIfNeeded: hexadecimal >> 16)
            green = UInt8(truncatingIfNeeded: hexadecimal >> 8)
            blue = UInt8(truncatingIfNeeded: hexadecimal)
        }

        static let white = Colour(0xFF_FFFF)
    }

    /// Which part of a text is at its place.
    enum Anchor: Hashable { case start, middle, end }

    /// One line of sans-serif text.
    struct Text: Hashable {
        var string: String
        /// On the baseline.
        var place: Point
        var anchor = Anchor.start
        /// The em.
        var size: Double
        var bold = false
        var colour: Colour
    }

    enum Shape: Hashable {
        case rectangle(Rectangle, Colour)
        /// Joined and ended by round pens; a single point is a dot.
        case polyline([Point], width: Double, Colour)
        case text(Text)
    }

    let width: Int
    let height: Int
    private(set) var shapes: [Shape] = []

    init(width: Int, height: Int) { (self.width, self.height) = (width, height) }

    mutating func add(_ shape: Shape) { shapes.append(shape) }
}
