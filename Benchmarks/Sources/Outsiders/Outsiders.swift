import DHTEngine
import DHTEnvelope

@main
struct Outsiders {
    static func main() {
        print(Datagram.lengths)
    }
}
