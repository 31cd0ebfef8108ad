import Inventory

/// What the codes of movements mostly mean: a guess to begin with, that a person confirms.
enum MovementCodes {
    private static let words: [(EventType, String)] = [
        (
            .received,
            "RC REC RCV RECV RECEIPT RECEIVE RECEIVED GR GRN WE WARENEINGANG ZUGANG ZU IN INBOUND 101 501 561 ENTREE ENTRADA"
        ),
        (
            .shipped,
            "SH SHP SHIP SHIPPED SHIPMENT GI IS ISS ISSUE WA WARENAUSGANG ABGANG AB OUT OUTBOUND 601 SORTIE SALIDA SALE"
        ),
        (.moved, "MV MOV MOVE MOVED UM UML UMLAGERUNG TR TRANSFER 311 PA PUT PUTAWAY RP REP REPLEN BB RELOC"),
        (.picked, "PK PIC PICK PICKED KOMM KO ENTNAHME"),
        (.returned, "RT RET RETURN RETURNED RETOURE RE 651 653 655 657"),
        (.counted, "CC CNT COUNT COUNTED CYC INVENTUR ZAEHLUNG"),
        (.adjusted, "AD ADJ ADJUST ADJUSTMENT KOR KORR KORREKTUR IA 201 261 551 701 702 711 712 SCRAP SC"),
        (.reserved, "RS RES RESERVE RESERVED"), (.released, "RL REL RELEASE RELEASED"), (.packed, "PACK PACKED PC"),
    ]

    static func type(of code: String) -> EventType? {
        let code = code.uppercased()
        return words.first { $0.1.split(separator: " ").contains { $0 == code } }?.0
    }
}
