"""Activity Statements that are made up, with the worked figures of published rules: each line of trades is one case."""

# ruff: noqa: E501, W291 - lines as brokers print them

STATEMENT = """\ufeffStatement,Header,Field Name,Field Value
Statement,Data,BrokerName,Example Broker
Statement,Data,Title,Activity Statement
Statement,Data,Period,"April 1, 2024 - March 31, 2025"
Statement,Data,WhenGenerated,"2025-07-23, 00:10:24 EDT"
Account Information,Header,Field Name,Field Value
Account Information,Data,Name,Nobody
Account Information,Data,Account,U0000001
Account Information,Data,Base Currency,USD
Net Asset Value,Header,Asset Class,Prior Total,Current Long,Current Short,Current Total,Change
Net Asset Value,Data,Cash ,0,10,0,10,10
Net Asset Value,Header,Time Weighted Rate of Return
Net Asset Value,Data,4.911192371%
Change in NAV,Header,Field Name,Field Value
Change in NAV,Data,Starting Value,200000.00
Change in NAV,Data,Mark-to-Market,-1234.567890123
Change in NAV,Data,Deposits & Withdrawals,5000
Change in NAV,Data,Dividends,75.06
Change in NAV,Data,Commissions,-40.5
Change in NAV,Data,Ending Value,203799.992109877
Mark-to-Market Performance Summary,Header,Asset Category,Symbol,Prior Quantity,Current Quantity,Prior Price,Current Price,Mark-to-Market P/L Position,Mark-to-Market P/L Transaction,Mark-to-Market P/L Commissions,Mark-to-Market P/L Other,Mark-to-Market P/L Total,Code
Mark-to-Market Performance Summary,Data,Stocks,IBKR,108.3849,433.5396,100,40,0,0,0,0,0,
Mark-to-Market Performance Summary,Data,Stocks,OXY,14,14,60,61,0,0,0,0,0,
Mark-to-Market Performance Summary,Data,Stocks,CEG,0,0,--,--,0,0,0,0,0,
Mark-to-Market Performance Summary,Data,Forex,EUR,0,1000,--,1.1,0,0,0,0,0,
Mark-to-Market Performance Summary,Data,Broker Interest Paid and Received,,,,,,0,0,0,0,0,
Mark-to-Market Performance Summary,Data,Total,,,,,,0,0,0,0,0,
Cash Report,Header,Currency Summary,Currency,Total,Securities,Futures,
Cash Report,Data,Starting Cash,Base Currency Summary,200000,200000,0,
Cash Report,Data,Ending Cash,Base Currency Summary,231042.05,0,0,
Cash Report,Data,Starting Cash,USD,200000,200000,0,
Cash Report,Data,Deposits,USD,29942.051258345,0,0,
Cash Report,Data,Ending Cash,USD,229942.051258345,0,0,
Cash Report,Data,Ending Settled Cash,USD,0,0,0,
Cash Report,Data,Starting Cash,EUR,0,0,0,
Cash Report,Data,Trades (Purchase),EUR,1000,0,0,
Cash Report,Data,Ending Cash,EUR,1000,0,0,
Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis,Close Price,Value,Unrealized P/L,Code
Open Positions,Data,Summary,Stocks,USD,IBKR,433.5396,1,39.682307636,17203.8516,40,17341.584,137.7324,
Open Positions,Data,Summary,Stocks,USD,OXY,14,1,60,840,61,854,14,
Open Positions,Data,Summary,Warrants,USD,OXY WS,1,1,0,0,22,22,22,
Open Positions,Data,Lot,Stocks,USD,IBKR,100,1,39.682307636,3968.2307636,,4000,31.7692364,LT
Open Positions,Total,,Stocks,USD,,,,,17203.8516,,17341.584,137.7324,
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code
Trades,Data,Order,Stocks,USD,CEG,"2024-09-19, 11:01:52",100,245.5,246,-24550,-1.0046,24551.0046,0,50,O
Trades,Data,Trade,Stocks,USD,CEG,"2024-09-19, 11:01:52",60,245.5,246,-14730,-0.60276,14730.60276,0,30,O;P
Trades,Data,Trade,Stocks,USD,CEG,"2024-09-19, 11:01:52",40,245.5,246,-9820,-0.40184,9820.40184,0,20,O;P
Trades,Data,Order,Stocks,USD,CEG,"2024-09-20, 11:01:52",1,229.46,230,-229.46,-1.000035,230.460035,0,0.54,O
Trades,Data,Trade,Stocks,USD,CEG,"2024-09-20, 11:01:52",1,229.46,230,-229.46,-1.000035,230.460035,0,0.54,O
Trades,Data,Order,Stocks,USD,CEG,"2024-11-04, 10:00:00",-101,325.01,325,"32,826.01",-1.020301,"-24,781.464635",8043.525064,1.01,C
Trades,Data,ClosedLot,Stocks,USD,CEG,2024-09-19,100,245.510046,,,,24551.0046,0,,ST
Trades,Data,Trade,Stocks,USD,CEG,"2024-11-04, 10:00:00",-101,325.01,325,"32,826.01",-1.020301,"-24,781.464635",8043.525064,1.01,C
Trades,SubTotal,,Stocks,USD,CEG,,0,,,8046.55,-3.024936,,8043.525064,51.55,
Trades,Data,Order,Stocks,USD,HIMS,"2024-12-20, 16:20:00",100,33,33,-3300,0,3300,0,0,A;O
Trades,Data,Order,Stocks,USD,HIMS,"2025-01-17, 16:20:00",-100,33,34,3300,-0.0166,-3069.06449,344.855673,-100,A;C
Trades,Data,Order,Stocks,USD,GM,"2024-06-03, 09:31:00","3,000",54.03,54.03,-162090,-15.384,162105.384,0,0,O
Trades,Data,Order,Stocks,USD,GM,"2024-10-03, 09:31:00","-3,000",51.79,51.79,155370,-19.961286,-166891.55075,-6755.345284,0,C;P
Trades,Data,Order,Stocks,USD,KWEB,"2025-02-26, 09:31:00",100,30,30,-3000,-1,3001,0,0,O
Trades,Data,Order,Stocks,USD,KWEB,"2025-03-03, 09:31:00",-100,35,35,3500,-1.01,-2996.983754,502.006246,0,C
Trades,Data,Order,Stocks,USD,SRFM,"2024-07-01, 09:31:00",300,4.1,4.1,-1230,-1.5066,1231.5066,0,0,O
Trades,Data,Order,Stocks,USD,SRFM,"2024-07-02, 09:31:00",400,4,4,-1600,-2.0088,1602.0088,0,0,O
Trades,Data,Order,Stocks,USD,SRFM,"2024-08-01, 09:31:00",-100,5,5,500,0.4463,-411.184018,89.262282,0,C;HC
Trades,Data,Order,Stocks,USD,SRFM,"2024-08-01, 09:31:01",-100,5,5,500,0,-410.161291,89.838709,0,C;HC
Trades,Data,Order,Stocks,USD,SRFM,"2024-08-01, 09:31:01",-100,5,5,500,0,-410.161291,89.838709,0,C;HC
Trades,Data,Order,Stocks,USD,SRFM,"2024-08-01, 09:31:02",-100,5,5,500,0,-401.168867,98.831133,0,C;HC
Trades,Data,Order,Stocks,USD,SRFM,"2024-08-01, 09:31:03",-100,5,5,500,0,-400.279978,99.720022,0,C;HC
Trades,Data,Order,Stocks,USD,SRFM,"2024-08-01, 09:31:04",-200,5,5,1000,0,-800.559955,199.440045,0,C;HC
Trades,Data,Order,Stocks,USD,AAPL,"2024-08-15, 09:31:04",-100,227.88225,227.88225,22788.225,-1.655312655,-13983.94,8802.629687,0,C
Trades,Total,,Stocks,USD,,,,,,0,0,0,0,0, 
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code
Trades,Data,Order,Equity and Index Options,USD,HIMS 20DEC24 33 P,"2024-12-02, 10:00:00",-1,2.32,2.3,232,-1.06449,-230.93551,0,2,O
Trades,Data,Order,Equity and Index Options,USD,HIMS 20DEC24 33 P,"2024-12-20, 16:20:00",1,0,0,0,0,230.93551,0,0,A;C
Trades,Data,Order,Equity and Index Options,USD,HIMS 17JAN25 33 C,"2025-01-02, 10:00:00",-1,1.15,1.1,115,-1.063237,-113.936763,0,5,O
Trades,Data,Order,Equity and Index Options,USD,HIMS 17JAN25 33 C,"2025-01-17, 16:20:00",1,0,0,0,0,113.936763,0,0,A;C
Trades,Data,Order,Equity and Index Options,USD,CLOV 16JUL24 20.0 C,"2024-06-14, 10:00:00",-2,0.415,0.415,83,-2.420018,-80.579982,0,0,O
Trades,Data,Order,Equity and Index Options,USD,CLOV 16JUL24 20.0 C,"2024-06-14, 10:00:01",-1,1.31,1.31,131,-1.210463,-129.789537,0,0,O
Trades,Data,Order,Equity and Index Options,USD,CLOV 16JUL24 20.0 C,"2024-06-14, 10:00:02",-1,1.46,1.46,146,-1.060545,-144.939455,0,0,O
Trades,Data,Order,Equity and Index Options,USD,CLOV 16JUL24 20.0 C,"2024-07-16, 16:20:00",4,0,0,0,0,355.308974,355.308974,0,C;Ep
Trades,Data,Order,Warrants,USD,OXY WS,"2024-08-03, 20:25:00",-0.75,24,24,18,0,0,18,0,C
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,,Proceeds,Comm in USD,,,MTM in USD,Code
Trades,Data,Order,Forex,USD,EUR.USD,"2024-05-02, 09:00:00","1,000",1.08,,-1080,-2,,,0.5,
Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,Realized P/L,Code
Corporate Actions,Data,Stocks,USD,2024-06-18,"2024-06-17, 20:25:00","IBKR(US45841N1072) Split 4 for 1 (IBKR, EXAMPLE GROUP, US45841N1072)",325.1547,0,0,0,
Corporate Actions,Data,Warrants,USD,2024-08-03,"2024-08-03, 20:00:00","OXY(US6745991058) Spinoff  1 for 8 (OXY WS, EXAMPLE WARRANT, US6745991629)",1.75,0,0,0,
Corporate Actions,Data,Total,,,,,,0,0,0,
Transfers,Header,Asset Category,Currency,Symbol,Date,Type,Direction,Xfer Company,Xfer Account,Qty,Xfer Price,Market Value,Realized P/L,Cash Amount,Code
Transfers,Data,Stocks,USD,AAPL,2024-03-28,ACATS,In,Other Broker,--,100,--,"17,000.00",0,0,
Transfers,Data,Total,,,,,,,,,,"17,000.00",0,0,
Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount
Deposits & Withdrawals,Data,USD,2024-04-02,Electronic Fund Transfer,6000
Deposits & Withdrawals,Data,USD,2024-04-03,Disbursement,"-1,000"
Deposits & Withdrawals,Data,Total,,,5000
Dividends,Header,Currency,Date,Description,Amount
Dividends,Data,USD,2024-06-14,F(US3453708600) Cash Dividend USD 0.75 per Share (Ordinary Dividend),75
Dividends,Data,USD,2024-06-14,F(9599491) Cash Dividend USD 0.0076 per Share - Reversal (Ordinary Dividend),-0.7
Dividends,Data,USD,2024-06-14,F(US3453708600) Payment in Lieu of Dividend (Ordinary Dividend),0.76
Dividends,Data,USD,2024-06-14,MAC(US5543821012) Cash Dividend USD 0.15 per Share (Return of Capital),12.45
Dividends,Data,Total,,,87.51
Withholding Tax,Header,Currency,Date,Description,Amount,Code
Withholding Tax,Data,USD,2023-06-14,F(US3453708600) Cash Dividend USD 0.75 per Share - US Tax,1.25,
Withholding Tax,Data,USD,2023-06-14,F(US3453708600) Cash Dividend USD 0.75 per Share - US Tax,-0.06,
Withholding Tax,Data,Total,,,1.19,
Interest,Header,Currency,Date,Description,Amount
Interest,Data,USD,2025-03-05,USD Debit Interest for Mar-2025,-12.5
Interest,Data,USD,2025-03-05,USD Debit Interest for Mar-2025,-12.5
Interest,Data,Total,,,-25
Fees,Header,Subtitle,Currency,Date,Description,Amount
Fees,Data,Other Fees,USD,2024-05-03,M******1:OPRA NP L1,-1.5
Fees,Data,Total,,,,-1.5
Commission Adjustments,Header,Currency,Date,Description,Amount,Code
Commission Adjustments,Data,USD,2025-03-10,"Refund (KWEB, 100, 2025-02-26)",2,
Commission Adjustments,Data,USD,2025-03-10,"Refund (KWEB, 100, 2025-02-26)",2.016246,
Commission Adjustments,Data,Total,,,4.016246,
Change in Dividend Accruals,Header,Asset Category,Currency,Symbol,Date,Ex Date,Pay Date,Quantity,Tax,Fee,Gross Rate,Gross Amount,Net Amount,Code
Change in Dividend Accruals,Data,Starting Dividend Accruals in USD,,,,,,,,,,,0,
Change in Dividend Accruals,Data,Stocks,USD,F,2024-05-20,2024-05-20,2024-06-14,100,0,0,0.75,75,75,Po
Change in Dividend Accruals,Data,Stocks,USD,F,2024-06-14,2024-05-20,2024-06-14,100,0,0,0.75,-75,-75,Re
Change in Dividend Accruals,Data,Stocks,USD,OXY,2025-03-20,2025-03-20,2025-04-14,14,0,0,0.22,3.08,3.08,Po
Change in Dividend Accruals,Data,Ending Dividend Accruals in USD,,,,,,,,,,,3.08,
Stock Yield Enhancement Program Securities Lent,Header,Asset Category,Currency,Symbol,Quantity, ,Value
Stock Yield Enhancement Program Securities Lent,Data,Stocks,USD,OXY,-14,,854
Mystery Section,Header,Currency,Secret,Amount
Mystery Section,Data,USD,42,7
Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Security ID,Underlying,Listing Exch,Multiplier,Type,Code
Financial Instrument Information,Data,Stocks,CEG,EXAMPLE ENERGY,1,US0000000001,CEG,NASDAQ,1,COMMON,
Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Underlying,Listing Exch,Multiplier,Expiry,Delivery Month,Type,Strike,Code
Financial Instrument Information,Data,Equity and Index Options,HIMS  241220P00033000,HIMS 20DEC24 33 P,2,HIMS,CBOE,100,2024-12-20,2024-12,P,33,
Codes,Header,Code,Meaning,Code (Cont.),Meaning (Cont.)
Codes,Data,A,Assignment,O,Opening Trade
Notes/Legal Notes,Header,Type,Note
Notes/Legal Notes,Data,Notes,"First line
second line"
Total P/L for Statement Period,,,,,,,,12.5
Notes,This statement uses wash sales P/L for realized and unrealized P/L calculations.
"""

TWO_ACCOUNTS = """Statement,Header,Field Name,Field Value\r
Statement,Data,Title,Activity Statement\r
Statement,Data,Period,"May 2, 2024"\r
Account Information,Header,Field Name,Field Value\r
Account Information,Data,Account,U0000001\r
Account Information,Data,Base Currency,SEK\r
Trades,Header,DataDiscriminator,Asset Category,Currency,Account,Symbol,Date/Time,Exchange,Quantity,T. Price,Proceeds,Comm/Fee,Basis,Realized P/L,Realized P/L %,Code\r
Trades,Data,Order,Stocks,SEK,U0000001,HMBs,"2024-05-02, 09:00:00",-,257,100,-25700,-49,25749,0,0,O\r
Trades,Data,Order,Stocks,SEK,U0000002,HMBs,"2024-05-02, 09:30:00",-,-257,101,25957,0.5841,-25749,208.5841,0.8,C\r
Trades,Data,ClosedLot,Stocks,SEK,,HMBs,2024-04-02,,257,100,,,25749,0,,ST\r
Trades,SubTotal,,Stocks,SEK,HMBs,,,,-257,,,,,\r
Dividends,Header,Currency,Account,Date,Description,Amount\r
Dividends,Data,SEK,U0000002,2024-05-02,HMBs(SE0000106270) Cash Dividend SEK 3.25 per Share (Ordinary Dividend),10\r
Dividends,Data,Total,,,,10\r
Dividends,Data,Total in SEK,,,,10\r
"""

OTHER_LANGUAGE = """Statement,Header,Имя поля,Значение поля
Statement,Data,Title,Отчет о деятельности
Statement,Data,Period,"Январь 1, 2020 - Декабрь 31, 2020"
Информация о счете,Header,Имя поля,Значение поля
Информация о счете,Data,Счет,U0000001
"""

FUTURES = """Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Notional Value,Comm/Fee,Basis,Realized P/L,MTM P/L,Code
Trades,Data,Order,Futures,USD,MESU4,"2024-06-03, 09:31:00",1,5300,5301,26500,-0.62,26500.62,0,5,O
Trades,Data,Order,Futures,USD,MESU4,"2024-06-04, 09:31:00",-1,5310,5310,-26550,-0.62,-26500.62,48.76,0,C
"""

FUTURES_KNOWN = "Financial Instrument Information,Data,Futures,MESU4,MESU4,3,,,CME,5,FUT,\n"
BEFORE_ACTIONS = "Corporate Actions,Header,"
BEFORE_STOCKS = "Financial Instrument Information,Data,Stocks,CEG"
