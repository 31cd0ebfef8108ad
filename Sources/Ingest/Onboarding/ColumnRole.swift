/// What columns are called, in the words of several languages and systems.
package enum ColumnRole: String, CaseIterable, Sendable {
    case sku, gtin, quantity, uom, location, warehouse, lot, owner, date, time, code, id, document, line, reason, status
    case toLocation, counted, expected, allocated, blocked, damaged
    /// Known, and nothing of stock.
    case text

    package enum Sureness: Int, Comparable, Sendable {
        case guess = 1, likely, sure
        package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
        package var words: String { ["", "a guess", "likely", "sure"][rawValue] }
    }

    /// Lower case, without blanks and signs; ü is ue, é is e.
    private var names: String {
        switch self {
        case .sku:
            """
            sku item itemno itemnumber itemcode itemid product productcode productno article articleno artikel artikelnr \
            artikelnummer artnr art material materialnr materialnummer matnr goods goodscode goodsno part partno partnumber \
            pn stockcode codart codigo articulo codarticulo referencia ref referencearticle codearticle produit itmref \
            imlitm litm itnbr itmno itno mmitno prdcod sachnr sachnummer teil teilenr ware
            """
        case .gtin: "gtin ean ean13 upc barcode eancode codebarre codebarres codigobarras strichcode"
        case .quantity:
            """
            qty quantity menge anzahl goodsqty stueck stk bestand amount units qte quantite cantidad cant trqt trnqt trqty \
            erfmg lgmng labst onhand qtyonhand onhandqty stockqty bestandsmenge lagerbestand saldo existencias stock mgtrqt \
            buchungsmenge moveqty txnqty
            """
        case .uom: "uom um unit unitofmeasure einheit me meins mengeneinheit basiseinheit unite unidad erfme unms vpe"
        case .location:
            """
            location loc locn locationname platzname bin binno binname slot place platz lagerplatz lgpla stellplatz fach \
            regal emplacement ubicacion ubic lplatz locator shelf cell vonplatz vonlagerplatz fromlocation frombin source \
            quellplatz whsl vlpla
            """
        case .warehouse:
            """
            warehouse whse wh whs lager lagerort lagernr lgort lgnum werk werks plant store site depot entrepot magasin \
            almacen deposito mcu whlo stofcy branch facility
            """
        case .lot: "lot lotno lotnumber batch batchno charge chargennr charg partie los losnr lote numlot lotn bano"
        case .owner: "owner eigentuemer mandant mdt besitzer proprietaire propietario client depositor einlagerer"
        case .date:
            """
            date datum trndate transdate postingdate buchungsdatum budat cpudt erdat fecha trdj trdt datetime timestamp \
            zeitstempel created createtime createdat occurredat updatetime moveddate trndt
            """
        case .time: "time uhrzeit zeit cputm erzet heure hora trtm trntm"
        case .code:
            """
            code type txntype trntype transtype movement movementtype movetype bewegungsart bewart bwart bwa vorgang \
            vorgangsart trancode transactioncode transactiontype tran dct trtp ttyp trcode buchungsart operation mouvement \
            typemouvement tipo tipomovimiento movimiento event eventtype action txncode movementcode
            """
        case .id:
            """
            id txn txnno txnid transaction transactionid transactionno trnid trnno seq seqno sequence recordid recid uuid \
            ukid buchungsnr buchungsnummer lfdnr laufnr lfnr movementid movementno bewegungsnr guid serial
            """
        case .document:
            """
            order orderno ordernumber orderid auftrag auftragsnr auftragnr bestellung bestellnr beleg belegnr belegnummer \
            document doc docno lieferschein lieferscheinnr delivery deliveryno po ponumber asn asncode dncode shipment \
            commande pedido vbeln ebeln aufnr rsnum mblnr doco ridn receipt
            """
        case .line: "line lineno orderline position pos posnr posten ligne linea ebelp zeile zeilennr ridl zeilenr"
        case .reason: "reason reasoncode grund grgrund motif motivo rsncode rcd"
        case .status:
            """
            status state bestandsart stocktype qualitaet quality zustand sperrkz sperrkennzeichen insmk stockstatus statut \
            estado hold
            """
        case .toLocation:
            """
            tolocation tobin toloc dest destination destbin destlocation nach nachplatz nachlagerplatz zielplatz ziel \
            nlpla binto toslot
            """
        case .counted: "counted countqty countedqty gezaehlt zaehlmenge istmenge"
        case .expected: "expectedqty sollmenge bookqty buchmenge systemqty"
        case .allocated: "allocated allocatedqty reserved reservedqty reserviert pickstock"
        case .blocked: "blocked blockedqty gesperrt sperrbestand speme holdqty holdstock"
        case .damaged: "damaged damagedqty damage damagestock beschaedigt schadbestand"
        case .text:
            """
            text description desc name bezeichnung artikelbezeichnung materialkurztext maktx remark bemerkung comment \
            kommentar libelle descripcion user benutzer usr uname usnam goodsdesc username operator weight \
            volume cost price value size property customer supplier vendor lieferant kunde preis gewicht wert label group \
            gruppe kategorie category colour color creater creator expiry expirydate \
            expdate bestbefore bbd mhd mhddatum vfdat hsdat verfalldatum verfallsdatum dluo caducidad fechacaducidad
            """
        }
    }

    private static let roles: [String: ColumnRole] = {
        var roles: [String: ColumnRole] = [:]
        for role in allCases { for name in role.names.split(separator: " ") { roles[String(name)] = role } }
        return roles
    }()

    /// Words that say of a column only that it identifies something.
    private static let fillers: Set<String> = [
        "nr", "no", "num", "number", "nummer", "code", "id", "key", "cd",
    ]

    /// What a column of this name is for.
    static func of(_ name: String) -> (role: ColumnRole, sureness: Sureness)? {
        var words = words(name)
        let whole = words.joined()
        if let role = roles[whole] { return (role, .sure) }
        while words.count > 1, let last = words.last, fillers.contains(last) { words.removeLast() }
        if let role = roles[words.joined()] { return (role, .sure) }
        if let role = words.reversed().lazy.compactMap({ roles[$0] }).first { return (role, .likely) }
        let inside = roles.keys.filter { $0.utf8.count >= 5 && whole.contains($0) }
        let best = inside.max { ($0.utf8.count, $1) < ($1.utf8.count, $0) }
        return best.flatMap { roles[$0] }.map { ($0, .guess) }
    }

    private static let folded: [Character: String] = [
        "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ê": "e", "á": "a", "à": "a", "ó": "o",
        "í": "i",
        "ñ": "n", "ç": "c", "ú": "u", "ô": "o",
    ]

    /// `orderNo`, `ORDER_NO` and `Order No.` alike.
    private static func words(_ name: String) -> [String] {
        var words = [""]
        var wasLower = false
        for character in name {
            let isUpper = character.isUppercase
            if isUpper && wasLower || !(character.isLetter || character.isNumber) { words.append("") }
            wasLower = character.isLowercase || character.isNumber
            guard character.isLetter || character.isNumber else { continue }
            for lower in character.lowercased() { words[words.count - 1] += folded[lower] ?? String(lower) }
        }
        return words.filter { !$0.isEmpty }
    }
}
