/// A picture of pixels, at first white, on which shapes are painted with smooth edges.
///
/// Lengths are in pixels; the origin is the outer corner of the top left pixel, whose middle is (0.5, 0.5).
/// Sums, products, quotients and square roots are all it computes, so every machine paints the same.
struct Raster: Hashable {
    let width: Int
    let height: Int
    /// Red, green and blue of every pixel, row by row from the top.
    private(set) var bytes: [UInt8]

    init(width: Int, height: Int) {
        precondition(width > 0 && height > 0, "a raster of \(width) × \(height)")
        (self.width, self.height) = (width, height)
        bytes = [UInt8](repeating: 255, count: width * height * 3)
    }

    /// The drawing, `scale` pixels to the point.
    init(_ drawing: Drawing, scale: Int) {
        self.init(width: drawing.width * scale, height: drawing.height * scale)
        let scale = Double(scale)
        for shape in drawing.shapes {
            switch shape {
            case .rectangle(let area, let colour):
                let pixels = Drawing.Rectangle(
                    left: area.left * scale,
                    top: area.top * scale,
                    right: area.right * scale,
                    bottom: area.bottom * scale
                )
                fill(pixels, colour)
            case .polyline(let points, let width, let colour):
                let pixels = points.map { Drawing.Point(x: $0.x * scale, y: $0.y * scale) }
                stroke([pixels], width: width * scale, colour)
            case .text(var text):
                text.place = Drawing.Point(x: text.place.x * scale, y: text.place.y * scale)
                text.size *= scale
                write(text)
            }
        }
    }

    /// Paints an area; a pixel at its edge gets as much of the colour as the area has of the pixel.
    mutating func fill(_ area: Drawing.Rectangle, _ colour: Drawing.Colour) {
        let columns = Self.cells(area.left, area.right, limit: width)
        for y in Self.cells(area.top, area.bottom, limit: height) {
            let tall = min(area.bottom, Double(y + 1)) - max(area.top, Double(y))
            for x in columns {
                let wide = min(area.right, Double(x + 1)) - max(area.left, Double(x))
                blend(colour, x: x, y: y, coverage: tall * wide)
            }
        }
    }

    /// Draws polylines with a round pen, a lone point as a dot. Where they cross or overlap, they are
    /// painted once.
    mutating func stroke(_ polylines: [[Drawing.Point]], width pen: Double, _ colour: Drawing.Colour) {
        let (radius, points) = (pen / 2, polylines.joined())
        let (xs, ys) = (points.map(\.x), points.map(\.y))
        guard let left = xs.min(), let right = xs.max(), let top = ys.min(), let bottom = ys.max() else {
            return
        }
        let reach = radius + 1
        var cover = Cover(
            columns: Self.cells(left - reach, right + reach, limit: width),
            rows: Self.cells(top - reach, bottom + reach, limit: height)
        )
        for polyline in polylines {
            guard let first = polyline.first else { continue }
            if polyline.count == 1 { cover.add(from: first, to: first, radius: radius) }
            for (start, end) in zip(polyline, polyline.dropFirst()) {
                cover.add(from: start, to: end, radius: radius)
            }
        }
        var index = 0
        for y in cover.rows {
            for x in cover.columns {
                let coverage = cover.shares[index]
                if coverage > 0 { blend(colour, x: x, y: y, coverage: coverage) }
                index += 1
            }
        }
    }

    /// Writes a line of text.
    mutating func write(_ text: Drawing.Text) {
        let length = StrokeFont.width(text.string, size: text.size, bold: text.bold)
        var x = text.place.x
        switch text.anchor {
        case .start: break
        case .middle: x -= length / 2
        case .end: x -= length
        }
        let pen = StrokeFont.pen(bold: text.bold) * text.size
        // The font's baseline is where the pen's middle goes; the paint should end there.
        let baseline = text.place.y - pen / 2
        var polylines: [[Drawing.Point]] = []
        for character in text.string {
            let glyph = StrokeFont.glyph(character)
            for stroke in glyph.strokes {
                polylines.append(
                    stroke.map { Drawing.Point(x: x + $0.x * text.size, y: baseline - $0.y * text.size) }
                )
            }
            x += (glyph.advance + StrokeFont.spread(bold: text.bold)) * text.size
        }
        stroke(polylines, width: pen, text.colour)
    }

    /// The pixels, within the raster, that the stretch touches in one direction.
    private static func cells(_ from: Double, _ to: Double, limit: Int) -> Range<Int> {
        let first = Int(min(max(from.rounded(.down), 0), Double(limit)))
        let last = Int(min(max(to.rounded(.up), 0), Double(limit)))
        return first..<max(first, last)
    }

    private mutating func blend(_ colour: Drawing.Colour, x: Int, y: Int, coverage: Double) {
        let index = (y * width + x) * 3
        bytes[index] = Self.mix(bytes[index], colour.red, coverage)
        bytes[index + 1] = Self.mix(bytes[index + 1], colour.green, coverage)
        bytes[index + 2] = Self.mix(bytes[index + 2], colour.blue, coverage)
    }

    private static func mix(_ below: UInt8, _ above: UInt8, _ share: Double) -> UInt8 {
        UInt8((Double(below) + (Double(above) - Double(below)) * share).rounded())
    }
}

extension Raster {
    /// How much of each pixel in an area the pen has touched.
    private struct Cover {
        let columns: Range<Int>
        let rows: Range<Int>
        /// From 0 to 1, row by row.
        private(set) var shares: [Double]

        init(columns: Range<Int>, rows: Range<Int>) {
            (self.columns, self.rows) = (columns, rows)
            shares = [Double](repeating: 0, count: columns.count * rows.count)
        }

        /// The pen goes straight from one point to another. A pixel is touched fully up to half a pixel
        /// within the stroke's edge and not at all from half a pixel beyond it.
        mutating func add(from start: Drawing.Point, to end: Drawing.Point, radius: Double) {
            let reach = radius + 0.5
            let (dx, dy) = (end.x - start.x, end.y - start.y)
            let square = dx * dx + dy * dy
            let touched = Raster.cells(
                min(start.y, end.y) - reach,
                max(start.y, end.y) + reach,
                limit: rows.upperBound
            ).clamped(to: rows)
            for y in touched {
                let middle = Double(y) + 0.5
                // The part of the stroke that this row can be touched from, as fractions of the way.
                var (first, last) = (0.0, 1.0)
                if dy != 0 {
                    let (one, other) = ((middle - reach - start.y) / dy, (middle + reach - start.y) / dy)
                    first = min(max(min(one, other), 0), 1)
                    last = min(max(max(one, other), 0), 1)
                }
                let (one, other) = (start.x + first * dx, start.x + last * dx)
                let near = Raster.cells(
                    min(one, other) - reach,
                    max(one, other) + reach,
                    limit: columns.upperBound
                ).clamped(to: columns)
                let row = (y - rows.lowerBound) * columns.count - columns.lowerBound
                for x in near {
                    let (px, py) = (Double(x) + 0.5 - start.x, middle - start.y)
                    let along = square == 0 ? 0 : min(max((px * dx + py * dy) / square, 0), 1)
                    let (ax, ay) = (px - along * dx, py - along * dy)
                    let share = min(max(reach - (ax * ax + ay * ay).squareRoot(), 0), 1)
                    shares[row + x] = max(shares[row + x], share)
                }
            }
        }
    }
}
