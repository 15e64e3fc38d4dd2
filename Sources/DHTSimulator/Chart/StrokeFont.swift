/// A sans-serif font whose letters are the paths of a round pen, so that it is small and sharp at any size.
/// It has ASCII and the few signs charts use beyond it; for others it draws a box.
///
/// It also stands in for the widths of whatever font shows the SVG, which are much the same.
enum StrokeFont {
    struct Glyph: Hashable {
        /// To the next letter, in ems.
        let advance: Double
        /// Where the pen goes, in ems, y upwards from the baseline: polylines.
        let strokes: [[Drawing.Point]]
    }

    /// The pen's width in ems.
    static func pen(bold: Bool) -> Double { bold ? 0.125 : 0.085 }

    static func glyph(_ character: Character) -> Glyph {
        glyphs[character] ?? (character.isWhitespace ? blank : box)
    }

    /// What a thicker pen needs beyond a letter's advance, in ems.
    static func spread(bold: Bool) -> Double { bold ? 0.025 : 0 }

    /// The length of a line of text, in the unit of its size.
    static func width(_ string: String, size: Double, bold: Bool = false) -> Double {
        string.reduce(0) { $0 + glyph($1).advance + spread(bold: bold) } * size
    }

    /// The text, or as much of its beginning as fits, and an ellipsis.
    static func fitting(_ string: String, size: Double, bold: Bool = false, width: Double) -> String {
        guard Self.width(string, size: size, bold: bold) > width else { return string }
        var kept = string[...]
        while !kept.isEmpty, Self.width(kept + "…", size: size, bold: bold) > width { kept.removeLast() }
        return kept + "…"
    }

    private static let blank = Glyph(advance: 11 / unitsPerEm, strokes: [])
    private static let box = parse("\u{FFFD} 24 0,0 0,26 16,26 16,0 0,0").glyph

    /// The table below is in these: a capital is 26 high, a small letter 18, a descender 8 deep.
    private static let unitsPerEm = 40.0

    private static let glyphs: [Character: Glyph] = {
        var glyphs: [Character: Glyph] = [:]
        for line in table.split(separator: "\n") {
            let (character, glyph) = parse(line)
            glyphs[character] = glyph
        }
        return glyphs
    }()

    /// Reads a line of the table: the letter, its advance, then strokes between slashes.
    private static func parse(_ line: Substring) -> (character: Character, glyph: Glyph) {
        let words = line.dropFirst().split(separator: " ")
        guard let character = line.first, let word = words.first, let advance = Double(word) else {
            preconditionFailure("no letter or no advance in the font's line \(line)")
        }
        let strokes = words.dropFirst().split(separator: "/").map { flatten($0.map(knot)) }
        // The space beside a letter is the same on its left and its right.
        let xs = strokes.joined().map(\.x)
        let left = (advance - (xs.min() ?? 0) - (xs.max() ?? 0)) / 2
        let placed = strokes.map { stroke in
            stroke.map { Drawing.Point(x: ($0.x + left) / unitsPerEm, y: $0.y / unitsPerEm) }
        }
        return (character, Glyph(advance: advance / unitsPerEm, strokes: placed))
    }

    /// A point of a stroke: one it goes through, or, in parentheses, one that bends it.
    private typealias Knot = (point: Drawing.Point, bends: Bool)

    private static func knot(_ word: Substring) -> Knot {
        let bends = word.hasPrefix("(")
        let numbers = (bends ? word.dropFirst().dropLast() : word).split(separator: ",").compactMap {
            Double($0)
        }
        precondition(numbers.count == 2, "no point in the font's word \(word)")
        return (Drawing.Point(x: numbers[0], y: numbers[1]), bends)
    }

    /// As in TrueType, a bend is the control point of a quadratic Bézier curve, and two bends have a point of
    /// the stroke half-way between them.
    private static func flatten(_ knots: [Knot]) -> [Drawing.Point] {
        var points: [Drawing.Point] = []
        for (index, knot) in knots.enumerated() {
            guard knot.bends, index > 0, index + 1 < knots.count, let start = points.last else {
                points.append(knot.point)
                continue
            }
            let (bend, next) = (knot.point, knots[index + 1])
            let end = next.bends ? middle(bend, next.point) : next.point
            let pieces = 8
            for piece in 1...pieces {
                let t = Double(piece) / Double(pieces)
                let (first, second, third) = ((1 - t) * (1 - t), 2 * t * (1 - t), t * t)
                points.append(
                    Drawing.Point(
                        x: first * start.x + second * bend.x + third * end.x,
                        y: first * start.y + second * bend.y + third * end.y
                    )
                )
            }
        }
        return points
    }

    private static func middle(_ one: Drawing.Point, _ other: Drawing.Point) -> Drawing.Point {
        Drawing.Point(x: (one.x + other.x) / 2, y: (one.y + other.y) / 2)
    }

    private static let table = #"""
        ! 11 0,26 0,8 / 0,0 0,1
        " 15 0,26 0,18 / 6,26 6,18
        # 23 3,0 6,26 / 11,0 14,26 / 1,17 17,17 / 0,9 16,9
        $ 22 13,20 (12,25) 7,25 (1,25) 1,19 (1,14) 7,13 (14,12) 14,6 (14,1) 7,1 (1,1) 0,6 / 7,29 7,-3
        % 35 0,20 (0,26) 5,26 (10,26) 10,20 (10,14) 5,14 (0,14) 0,20 / 16,6 (16,12) 21,12 (26,12) 26,6 \#
        (26,0) 21,0 (16,0) 16,6 / 6,0 20,26
        & 27 19,0 5,18 (3,20) 3,22 (3,26) 7,26 (12,26) 12,22 (12,18) 7,15 (0,12) 0,6 (0,0) 7,0 (15,0) 18,11
        ' 9 0,26 0,18
        ( 13 5,29 (0,21) 0,11 (0,1) 5,-7
        ) 13 0,29 (5,21) 5,11 (5,1) 0,-7
        * 17 5,26 5,16 / 1,24 9,18 / 9,24 1,18
        + 23 8,17 8,1 / 0,9 16,9
        , 11 2,1 (2,-3) 0,-5
        - 13 0,9 7,9
        . 11 0,0 0,1
        / 13 0,-2 9,28
        0 22 0,9 0,17 (0,26) 7,26 (14,26) 14,17 14,9 (14,0) 7,0 (0,0) 0,9
        1 22 2,21 9,26 9,0
        2 22 0,20 (0,26) 7,26 (14,26) 14,19 (14,15) 10,11 0,0 15,0
        3 22 0,21 (1,26) 7,26 (13,26) 13,20 (13,14) 6,14 (14,14) 14,7 (14,0) 7,0 (0,0) 0,6
        4 22 11,0 11,26 0,8 15,8
        5 22 13,26 2,26 1,14 (3,17) 7,17 (14,17) 14,9 (14,0) 7,0 (1,0) 0,5
        6 22 13,22 (12,26) 7,26 (0,26) 0,14 0,9 (0,0) 7,0 (14,0) 14,8 (14,16) 7,16 (0,16) 0,8
        7 22 0,26 14,26 (6,15) 5,0
        8 22 7,14 (1,14) 1,20 (1,26) 7,26 (13,26) 13,20 (13,14) 7,14 (0,14) 0,7 (0,0) 7,0 (14,0) 14,7 \#
        (14,14) 7,14
        9 22 1,4 (2,0) 7,0 (14,0) 14,12 14,17 (14,26) 7,26 (0,26) 0,18 (0,10) 7,10 (14,10) 14,18
        : 11 0,0 0,1 / 0,16 0,17
        ; 11 2,1 (2,-3) 0,-5 / 2,16 2,17
        < 23 16,17 0,9 16,1
        = 23 0,13 16,13 / 0,5 16,5
        > 23 0,17 16,9 0,1
        ? 22 0,20 (0,26) 7,26 (13,26) 13,20 (13,16) 10,14 (7,11) 7,7 / 7,0 7,1
        @ 40 26,-1 (21,-5) 14,-5 (0,-5) 0,10 (0,26) 15,26 (29,26) 29,14 (29,5) 23,5 (20,5) 20,9 21,17 / \#
        20,11 (20,17) 14,17 (8,17) 8,10 (8,4) 13,4 (19,4) 20,11
        A 26 0,0 10,26 20,0 / 4,9 16,9
        B 27 9,14 (16,14) 16,20 (16,26) 9,26 0,26 0,0 9,0 (18,0) 18,7 (18,14) 9,14 0,14
        C 29 20,19 (18,26) 10,26 (0,26) 0,13 (0,0) 10,0 (18,0) 20,8
        D 29 0,0 0,26 8,26 (20,26) 20,13 (20,0) 8,0 0,0
        E 26 16,26 0,26 0,0 17,0 / 0,14 15,14
        F 24 16,26 0,26 0,0 / 0,13 13,13
        G 31 21,20 (19,26) 11,26 (0,26) 0,13 (0,0) 11,0 (18,0) 21,4 21,12 12,12
        H 29 0,0 0,26 / 20,0 20,26 / 0,14 20,14
        I 11 0,0 0,26
        J 21 12,26 12,8 (12,0) 6,0 (0,0) 0,8
        K 26 0,0 0,26 / 18,26 0,9 / 6,15 19,0
        L 23 0,26 0,0 15,0
        M 33 0,0 0,26 12,4 24,26 24,0
        N 29 0,0 0,26 19,0 19,26
        O 31 0,13 (0,26) 11,26 (22,26) 22,13 (22,0) 11,0 (0,0) 0,13
        P 26 0,0 0,26 10,26 (18,26) 18,19 (18,12) 10,12 0,12
        Q 31 0,13 (0,26) 11,26 (22,26) 22,13 (22,0) 11,0 (0,0) 0,13 / 14,6 22,-1
        R 28 0,0 0,26 10,26 (18,26) 18,20 (18,13) 10,13 0,13 / 11,13 19,0
        S 26 17,20 (16,26) 9,26 (1,26) 1,20 (1,15) 9,13 (18,11) 18,6 (18,0) 9,0 (1,0) 0,7
        T 24 0,26 20,26 / 10,26 10,0
        U 29 0,26 0,9 (0,0) 10,0 (20,0) 20,9 20,26
        V 25 0,26 10,0 20,26
        W 38 0,26 8,0 16,26 24,0 32,26
        X 25 0,0 19,26 / 0,26 19,0
        Y 25 0,26 10,12 20,26 / 10,12 10,0
        Z 24 0,26 18,26 0,0 18,0
        [ 12 5,29 0,29 0,-7 5,-7
        \ 13 0,28 9,-2
        ] 12 0,29 5,29 5,-7 0,-7
        ^ 19 0,15 6,26 12,15
        _ 22 0,-5 20,-5
        ` 13 0,27 4,22
        a 22 1,14 (2,18) 7,18 (13,18) 13,12 13,0 / 13,10 6,10 (0,10) 0,5 (0,0) 5,0 (11,0) 13,5
        b 22 0,26 0,0 / 0,9 (0,18) 7,18 (14,18) 14,9 (14,0) 7,0 (0,0) 0,9
        c 20 13,13 (12,18) 7,18 (0,18) 0,9 (0,0) 7,0 (12,0) 13,5
        d 22 14,26 14,0 / 14,9 (14,18) 7,18 (0,18) 0,9 (0,0) 7,0 (14,0) 14,9
        e 22 0,9 14,9 (14,18) 7,18 (0,18) 0,9 (0,0) 7,0 (12,0) 14,4
        f 12 9,26 (4,27) 4,21 4,0 / 0,18 8,18
        g 22 14,18 14,-1 (14,-8) 7,-8 (2,-8) 1,-5 / 14,9 (14,18) 7,18 (0,18) 0,9 (0,0) 7,0 (14,0) 14,9
        h 22 0,26 0,0 / 0,11 (1,18) 7,18 (13,18) 13,12 13,0
        i 9 0,18 0,0 / 0,25 0,26
        j 9 3,18 3,-4 (3,-8) 0,-8 / 3,25 3,26
        k 20 0,26 0,0 / 12,18 0,6 / 5,11 13,0
        l 9 0,26 0,0
        m 33 0,18 0,0 / 0,12 (1,18) 6,18 (12,18) 12,12 12,0 / 12,12 (13,18) 18,18 (24,18) 24,12 24,0
        n 22 0,18 0,0 / 0,11 (1,18) 7,18 (13,18) 13,12 13,0
        o 22 0,9 (0,18) 7,18 (14,18) 14,9 (14,0) 7,0 (0,0) 0,9
        p 22 0,18 0,-8 / 0,9 (0,18) 7,18 (14,18) 14,9 (14,0) 7,0 (0,0) 0,9
        q 22 14,18 14,-8 / 14,9 (14,18) 7,18 (0,18) 0,9 (0,0) 7,0 (14,0) 14,9
        r 14 0,18 0,0 / 0,11 (1,18) 8,18
        s 20 12,14 (11,18) 6,18 (0,18) 0,14 (0,10) 6,9 (13,8) 13,4 (13,0) 6,0 (1,0) 0,4
        t 12 4,24 4,5 (4,0) 9,0 / 0,18 9,18
        u 22 0,18 0,6 (0,0) 6,0 (12,0) 13,7 / 13,18 13,0
        v 20 0,18 7,0 14,18
        w 29 0,18 6,0 12,18 18,0 24,18
        x 20 0,0 13,18 / 0,18 13,0
        y 20 0,18 7,0 / 14,18 6,-4 (4,-8) 0,-8
        z 20 0,18 12,18 0,0 13,0
        { 14 7,29 (3,29) 3,24 3,15 (3,11) 0,11 (3,11) 3,7 3,-2 (3,-7) 7,-7
        | 10 0,29 0,-8
        } 14 0,29 (4,29) 4,24 4,15 (4,11) 7,11 (4,11) 4,7 4,-2 (4,-7) 0,-7
        ~ 23 0,8 (1,12) 5,12 (8,12) 8,10 (9,8) 12,8 (15,8) 16,12
        · 11 0,10 0,11
        × 23 1,2 15,16 / 1,16 15,2
        – 22 0,9 16,9
        − 23 0,9 16,9
        … 40 0,0 0,1 / 13,0 13,1 / 26,0 26,1
        """#
}
